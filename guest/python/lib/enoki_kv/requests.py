"""Every operation as data: (operation, payload, decoder of the reply). Who sends it is another matter.

A decoder gets the whole payload of a REPLY; its first byte, the status, has been checked.
"""

from struct import Struct

from .errors import Error
from .values import (
    any_duration_ms,
    bound_bytes,
    decode_json,
    decode_value,
    duration_ms,
    encode_json,
    encode_value,
    from_typed,
    key_bytes,
)

GET = 1
ENTRY = 2
SET = 3
DELETE = 4
EXISTS = 5
GET_MANY = 6
SCAN = 7
JSON_REQUEST = 8
FRESH = 9
BATCH = 13

_ON_STALE = {"wait": 0, "peer": 1, "serve": 2, "fail": 3}
# What to do, most staleness, how long; call id (that of the outer operation counts) and operation of the read.
_FRESH_HEAD = Struct("<BIIIB")
_FRESH_MS_MAX = 2**32 - 1
_WITHIN_MS = 5000

_IF_VERSION = 1
_IF_ABSENT = 2
_TTL = 4

_KEYS_ONLY = 1
_REVERSE = 2
_END = 4
_PREFIX = 8
_AFTER = 16

PAGE_MAX = 1000
# A frame has at most 20 MiB; its head needs a few bytes.
REQUEST_BYTES_MAX = 20 * 1024 * 1024 - 64

_U16 = Struct("<H")
_U32 = Struct("<I")
_F64 = Struct("<d")
_PAGE = Struct("<BI")
_SET_HEAD = Struct("<BH")
pack_u16 = _U16.pack


class Entry:
    """A value with its version and, in Unix seconds, its expiry (None: never)."""

    __slots__ = ("expires_at", "value", "version")

    def __init__(self, value, version, expires_at):
        self.value = value
        self.version = version
        self.expires_at = expires_at

    def __repr__(self):
        return f"Entry(value={self.value!r}, version={self.version!r}, expires_at={self.expires_at!r})"


def sized(data):
    return pack_u16(len(data)) + data


def get(key, default):
    def decode(reply):
        return decode_value(reply[2], reply[3:]) if reply[1] else default

    return GET, sized(key_bytes(key)), decode


def entry(key):
    return ENTRY, sized(key_bytes(key)), _decode_entry


def fresh(request, max_staleness, on_stale, within):
    """The same read, of data that are fresh enough; without `max_staleness` just the read."""
    if max_staleness is None:
        if on_stale is None and within is None:
            return request
        raise Error("ENOKI_INVALID_INPUT", "on_stale and within go with max_staleness")
    what = _ON_STALE.get(on_stale or "wait")
    if what is None:
        raise Error("ENOKI_INVALID_INPUT", "on_stale is wait, peer, serve or fail")
    most_ms = _fresh_ms(max_staleness)
    within_ms = _WITHIN_MS if within is None else _fresh_ms(within)
    operation, payload, decode = request
    return FRESH, _FRESH_HEAD.pack(what, most_ms, within_ms, 0, operation) + payload, decode


def _fresh_ms(text):
    return min(_FRESH_MS_MAX, int(any_duration_ms(text)))


def _decode_entry(reply):
    if not reply[1]:
        return None
    end = 4 + _U16.unpack_from(reply, 2)[0]
    version = str(reply[4:end], "utf-8")
    expires_at_ms = _F64.unpack_from(reply, end)[0]
    value = decode_value(reply[end + 8], reply[end + 9 :])
    return Entry(value, version, expires_at_ms / 1000 if expires_at_ms else None)


def set(key, val, ttl=None, if_version=None, if_absent=False):
    name = key_bytes(key)
    tag, data = encode_value(val)
    if ttl is None and if_version is None and not if_absent:
        return SET, b"".join((_SET_HEAD.pack(0, len(name)), name, b"%c" % tag, data)), _decode_version
    if if_version is not None and if_absent:
        raise Error("ENOKI_INVALID_INPUT", "if_version and if_absent exclude each other")
    flags, options = 0, b""
    if if_version is not None:
        if not isinstance(if_version, str):
            raise Error("ENOKI_INVALID_INPUT", "if_version is a version as `entry` or `set` gave it")
        flags, options = _IF_VERSION, sized(if_version.encode("utf-8", "replace")[:0xFFFF])
    elif if_absent:
        flags = _IF_ABSENT
    if ttl is not None:
        flags |= _TTL
        options += _F64.pack(duration_ms(ttl))
    return SET, b"".join((_SET_HEAD.pack(flags, len(name)), name, options, b"%c" % tag, data)), _decode_version


def _decode_version(reply):
    return str(reply[1:], "utf-8")


def delete(key):
    return DELETE, sized(key_bytes(key)), _decode_flag


def exists(key):
    return EXISTS, sized(key_bytes(key)), _decode_flag


def _decode_flag(reply):
    return reply[1] != 0


def get_many(keys):
    def decode(reply):
        values, at = {}, 1
        for key in keys:
            found, at = reply[at], at + 1
            if found:
                values[key], at = _value_at(reply, at)
        return values

    return GET_MANY, pack_u16(len(keys)) + b"".join([sized(key_bytes(key)) for key in keys]), decode


def _value_at(reply, at):
    tag = reply[at]
    start = at + 5
    end = start + _U32.unpack_from(reply, at + 1)[0]
    return decode_value(tag, reply[start:end]), end


class Scan:
    """The pages of one scan: ask with `request`, which decodes to items, until `done`."""

    def __init__(self, start, end, prefix, limit, reverse, keys_only, freshness=(None, None, None)):
        fresh((0, b"", None), *freshness)  # refused now if it is
        self._freshness = freshness
        if prefix is not None and (start != "" or end is not None):
            raise Error("ENOKI_INVALID_INPUT", "prefix excludes start and end")
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
            raise Error("ENOKI_INVALID_INPUT", "limit is a whole number, 0 or more")
        self.start = bound_bytes(start)
        self.end = None if end is None else bound_bytes(end)
        self.prefix = None if prefix is None else bound_bytes(prefix)
        self.reverse = reverse
        self.keys_only = keys_only
        self.after = False  # whether `start` itself is left out
        self._left = limit
        self.done = limit == 0

    @property
    def limit(self):
        """Items that the next page may have."""
        return PAGE_MAX if self._left is None else min(PAGE_MAX, self._left)

    def request(self):
        flags = (_KEYS_ONLY if self.keys_only else 0) | (_REVERSE if self.reverse else 0)
        parts = [sized(self.start)]
        if self.end is not None:
            flags |= _END
            parts.append(sized(self.end))
        if self.prefix is not None:
            flags |= _PREFIX
            parts.append(sized(self.prefix))
        if self.after:
            flags |= _AFTER
        return fresh((SCAN, _PAGE.pack(flags, self.limit) + b"".join(parts), self._decode), *self._freshness)

    @property
    def is_fresh(self):
        """Whether each page has to be fresh."""
        return self._freshness[0] is not None

    def advance(self, count, last_key, more):
        """Goes on behind a page."""
        if self._left is not None:
            self._left -= count
        self.done = not more or self._left == 0 or not count
        if self.reverse:
            self.end = last_key
        else:
            self.start, self.after = last_key, True

    def _decode(self, reply):
        items, at, key = [], 6, b""
        count = _U32.unpack_from(reply, 2)[0]
        for _ in range(count):
            start = at + 2
            at = start + _U16.unpack_from(reply, at)[0]
            key = reply[start:at]
            if self.keys_only:
                items.append(str(key, "utf-8"))
            else:
                value, at = _value_at(reply, at)
                items.append((str(key, "utf-8"), value))
        self.advance(count, bytes(key), reply[1])
        return items


def json_request(request, decode):
    """An operation whose request and reply are JSON; `decode` gets the parsed reply."""
    return JSON_REQUEST, in_one_frame(encode_json(request)), lambda reply: decode(decode_json(reply[1:]))


def in_one_frame(payload):
    """The payload; raises ENOKI_VALUE_TOO_LARGE for what no frame holds."""
    if len(payload) > REQUEST_BYTES_MAX:
        raise Error("ENOKI_VALUE_TOO_LARGE", f"one request has at most {REQUEST_BYTES_MAX} bytes, not {len(payload)}")
    return payload


def value_of(reply):
    """The decoder of the JSON replies that are `{"value":…}`."""
    return reply["value"]


def nothing_of(_reply):
    """The decoder of the JSON replies that say nothing."""


def siblings(key):
    key_bytes(key)
    return json_request({"op": "siblings", "key": key}, lambda reply: [from_typed(value) for value in reply["values"]])


def in_groups(keys):
    """The keys of a `get_many` in as many lists as it takes operations."""
    if isinstance(keys, str):
        raise Error("ENOKI_INVALID_KEY", "get_many takes several keys, not one str")
    keys = list(keys)
    return [keys[at : at + PAGE_MAX] for at in range(0, len(keys), PAGE_MAX)]
