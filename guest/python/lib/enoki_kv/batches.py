"""Batches: checks, writes and sends that take effect together or not at all."""

from struct import Struct

from .errors import Error
from .requests import BATCH, in_one_frame, pack_u16, sized
from .values import duration_ms, encode_value, key_bytes, number

ONCE_BYTES_MAX = 256
_PARTS_MAX = 1000

_SET = 1
_SET_WITH_TTL = 2
_DELETE = 3
_INCREMENT = 4

# What a write does, and the size of its key.
_WRITE_HEAD = Struct("<BH").pack
# Tag and size of a value.
_VALUE_HEAD = Struct("<BI").pack
_F64 = Struct("<d").pack
_u16 = Struct("<H").unpack_from
_ABSENT = b"\0"
_PRESENT = b"\1"


class Committed:
    """What a batch did: the new version per write (None for a delete); `repeated` if its once key was known."""

    __slots__ = ("repeated", "versions")

    def __init__(self, versions, repeated):
        self.versions = versions
        self.repeated = repeated

    def __repr__(self):
        return f"Committed(versions={self.versions!r}, repeated={self.repeated!r})"


class Batch:
    """Gathers checks and writes, each as it will be sent from the start; `commit` does all of them or none.

    `ask` sends a request: that of `kv` returns the answer, that of `kv.aio` a coroutine.
    """

    def __init__(self, ask):
        self._ask = ask
        self._checks = []
        self._writes = []
        self._sends = []
        self._once = _ABSENT

    def check(self, key, version):
        """The batch fails with ENOKI_VERSION_CONFLICT unless `key` has `version` (None: is missing)."""
        name = sized(key_bytes(key))
        if version is not None and not isinstance(version, str):
            raise Error("ENOKI_INVALID_INPUT", "a version is what `entry` or `set` gave, or None")
        self._checks.append(name + _optional(version))
        return self

    def set(self, key, val, *, ttl=None):
        name = key_bytes(key)
        tag, data = encode_value(val)
        if ttl is None:
            parts = (_WRITE_HEAD(_SET, len(name)), name, _VALUE_HEAD(tag, len(data)), data)
        else:
            ttl_ms = _F64(duration_ms(ttl))
            parts = (_WRITE_HEAD(_SET_WITH_TTL, len(name)), name, ttl_ms, _VALUE_HEAD(tag, len(data)), data)
        self._writes.append(b"".join(parts))
        return self

    def delete(self, key):
        name = key_bytes(key)
        self._writes.append(_WRITE_HEAD(_DELETE, len(name)) + name)
        return self

    def increment(self, key, n=1):
        name = key_bytes(key)
        self._writes.append(_WRITE_HEAD(_INCREMENT, len(name)) + name + _F64(number(n)))
        return self

    def send(self, function, data=None, *, order_key=None):
        """Calls `function` with `data` once the batch is committed, asynchronously and at least once.

        What is sent to it with one `order_key` is handled in the order in which it was sent, one after the other.
        """
        if not isinstance(function, str):
            raise Error("ENOKI_INVALID_NAME", "the name of a function is a str")
        if order_key is not None and not isinstance(order_key, str):
            raise Error("ENOKI_INVALID_INPUT", "an order key is a str")
        tag, value = encode_value(data)
        self._sends.append(b"".join((_text(function), _optional(order_key), _VALUE_HEAD(tag, len(value)), value)))
        return self

    def once(self, key):
        """The batch takes effect once, however often it is committed with this key."""
        self._once = _optional(once_key(key))
        return self

    def request(self):
        """The batch as one operation, as in `requests`."""
        kinds = (self._checks, self._writes, self._sends)
        if sum(map(len, kinds)) > _PARTS_MAX:
            raise Error("ENOKI_INVALID_INPUT", "a batch has at most 1,000 parts")
        parts = [part for kind in kinds for part in (pack_u16(len(kind)), *kind)]
        parts.append(self._once)
        return BATCH, in_one_frame(b"".join(parts)), _committed

    def commit(self):
        return self._ask(self.request())


def once_key(key):
    """Checks the key of an effect that must happen once."""
    if not isinstance(key, str) or not 0 < len(key.encode("utf-8", "replace")) <= ONCE_BYTES_MAX:
        raise Error("ENOKI_INVALID_INPUT", f"a once key is a str of 1 to {ONCE_BYTES_MAX} bytes")
    return key


def _committed(reply):
    versions, at = [], 4
    for _ in range(_u16(reply, 2)[0]):
        start = at + 2
        at = start + _u16(reply, at)[0]
        versions.append(str(reply[start:at], "utf-8") or None)
    return Committed(versions, reply[1] != 0)


def _text(text):
    # What is too long or no Unicode is nothing that the node knows, and it says so.
    return sized(text.encode("utf-8", "replace")[:0xFFFF])


def _optional(text):
    return _ABSENT if text is None else _PRESENT + _text(text)
