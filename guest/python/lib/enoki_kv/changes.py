"""What takes more than one operation or is gathered first: update, batches, CRDTs."""

from .errors import Error
from .requests import entry, json_request, json_text_request, nothing_of, set, value_of
from .values import duration_ms, json_text, key_bytes, key_text, number, typed_text

ONCE_BYTES_MAX = 256
_CONFLICT = "ENOKI_VERSION_CONFLICT"


class Delete:
    """The type of `kv.DELETE`."""

    def __repr__(self):
        return "kv.DELETE"


DELETE = Delete()


class Committed:
    """What a batch did: the new version per write (None for a delete); `repeated` if its once key was known."""

    __slots__ = ("repeated", "versions")

    def __init__(self, versions, repeated):
        self.versions = versions
        self.repeated = repeated

    def __repr__(self):
        return f"Committed(versions={self.versions!r}, repeated={self.repeated!r})"


class Batch:
    """Gathers checks and writes, each as JSON text from the start; `commit` does all of them or none.

    Here and below, `ask` sends a request: that of `kv` returns the answer, that of `kv.aio` a coroutine.
    """

    def __init__(self, ask):
        self._ask = ask
        self._checks = []
        self._writes = []
        self._sends = []
        self._once = None

    def check(self, key, version):
        """The batch fails with ENOKI_VERSION_CONFLICT unless `key` has `version` (None: is missing)."""
        name = key_text(key)
        if version is not None and not isinstance(version, str):
            raise Error("ENOKI_INVALID_INPUT", "a version is what `entry` or `set` gave, or None")
        self._checks.append(f'{{"key":{name},"version":{json_text(version)}}}')
        return self

    def set(self, key, val, *, ttl=None):
        head = f'{{"op":"set","key":{key_text(key)},"value":{typed_text(val)}'
        self._writes.append(head + "}" if ttl is None else f'{head},"ttlMs":{duration_ms(ttl)!r}}}')
        return self

    def delete(self, key):
        self._writes.append(f'{{"op":"delete","key":{key_text(key)}}}')
        return self

    def increment(self, key, n=1):
        self._writes.append(f'{{"op":"increment","key":{key_text(key)},"n":{json_text(number(n))}}}')
        return self

    def send(self, function, data=None, *, order_key=None):
        """Calls `function` with `data` once the batch is committed, asynchronously and at least once.

        What is sent to it with one `order_key` is handled in the order in which it was sent, one after the other.
        """
        if not isinstance(function, str):
            raise Error("ENOKI_INVALID_NAME", "the name of a function is a str")
        head = f'{{"function":{json_text(function)},"data":{typed_text(data)}'
        self._sends.append(head + "}" if order_key is None else f'{head},"orderKey":{json_text(order_key)}}}')
        return self

    def once(self, key):
        """The batch takes effect once, however often it is committed with this key."""
        self._once = once_key(key)
        return self

    def request(self):
        checks, writes, sends = ",".join(self._checks), ",".join(self._writes), ",".join(self._sends)
        once = json_text(self._once)
        body = f'{{"op":"batch","checks":[{checks}],"writes":[{writes}],"sends":[{sends}],"once":{once}}}'
        return json_text_request(body, _committed)

    def commit(self):
        return self._ask(self.request())


def _committed(reply):
    return Committed(reply["versions"], reply["repeated"])


def once_key(key):
    """Checks the key of an effect that must happen once."""
    if not isinstance(key, str) or not 0 < len(key.encode("utf-8", "replace")) <= ONCE_BYTES_MAX:
        raise Error("ENOKI_INVALID_INPUT", f"a once key is a str of 1 to {ONCE_BYTES_MAX} bytes")
    return key


class Update:
    """One `update`: first ask `read`, then `write(entry, result of fn)`; on a conflict begin again."""

    def __init__(self, key, once):
        self.read = entry(key)
        self._key = key
        self._once = None if once is None else once_key(once)
        self._tries = 0

    def write(self, found, value):
        """The request that stores `value` if nothing has changed since `found`; None if there is nothing to do."""
        if value is None:
            return None
        version = found.version if found else None
        if self._once is None:
            if value is not DELETE:
                return set(self._key, value, if_version=version, if_absent=version is None)
            if not found:
                return None
        batch = Batch(None).check(self._key, version)
        if value is DELETE:
            batch.delete(self._key)
        else:
            batch.set(self._key, value)
        if self._once is not None:
            batch.once(self._once)
        return batch.request()

    def pause_s(self, error):
        """Seconds to wait before trying again after `error`; raises it unless it is a conflict."""
        if error.code != _CONFLICT:
            raise error
        self._tries += 1
        if self._tries < 4:
            return 0.0
        from random import random

        # why: many instances that lost together must not come back together.
        return random() * min(0.05, 0.0002 * 2 ** min(self._tries, 12))


def increment(key, n):
    key_bytes(key)
    return json_request({"op": "increment", "key": key, "n": number(n)}, value_of)


class Counter:
    """A number that concurrent additions add up in."""

    def __init__(self, key, ask):
        key_bytes(key)
        self._key = key
        self._ask = ask

    def add(self, n=1):
        return self._ask(json_request({"op": "counter.add", "key": self._key, "n": number(n)}, value_of))

    def value(self):
        return self._ask(json_request({"op": "counter.value", "key": self._key}, value_of))


class SetOf:
    """A set of JSON values."""

    def __init__(self, key, ask):
        key_bytes(key)
        self._key = key
        self._ask = ask

    def add(self, x):
        return self._change("set.add", x)

    def remove(self, x):
        return self._change("set.remove", x)

    def _change(self, op, member):
        return self._ask(json_request({"op": op, "key": self._key, "member": member}, nothing_of))

    def value(self):
        return self._ask(json_request({"op": "set.value", "key": self._key}, value_of))


class Map:
    """Fields with JSON values or counters."""

    def __init__(self, key, ask):
        key_bytes(key)
        self._key = key
        self._ask = ask

    def set(self, f, v):
        return self._change({"op": "map.set", "field": _field(f), "value": v}, nothing_of)

    def add(self, f, n=1):
        return self._change({"op": "map.add", "field": _field(f), "n": number(n)}, value_of)

    def remove(self, f):
        return self._change({"op": "map.remove", "field": _field(f)}, nothing_of)

    def _change(self, request, decode):
        request["key"] = self._key
        return self._ask(json_request(request, decode))

    def value(self):
        return self._ask(json_request({"op": "map.value", "key": self._key}, value_of))


def _field(field):
    if not isinstance(field, str):
        raise Error("ENOKI_VALUE_UNSUPPORTED", f"the fields of a map are str, not {type(field).__name__}")
    return field
