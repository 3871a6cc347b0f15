"""Values and keys between Python and the channel, checked before anything is sent."""

import re
from base64 import b64decode
from json import JSONDecoder, JSONEncoder

from .errors import Error

STR = 1
BYTES = 2
JSON = 3

KEY_BYTES_MAX = 1024
VALUE_BYTES_MAX = 16 * 1024 * 1024
_INTEGER_MAX = 2**53 - 1
_DEPTH_MAX = 500

_encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_decoder = JSONDecoder()
_decode_spaced = _decoder.decode
_scan = _decoder.scan_once

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)", re.ASCII)
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def key_bytes(key):
    """A key as UTF-8; raises ENOKI_INVALID_KEY."""
    data = bound_bytes(key)
    if not data:
        raise Error("ENOKI_INVALID_KEY", "a key must not be empty")
    return data


def bound_bytes(key):
    """Like `key_bytes` for the bound of a scan, which may be empty."""
    if not isinstance(key, str):
        raise Error("ENOKI_INVALID_KEY", f"a key is a str, not {type(key).__name__}")
    try:
        data = key.encode()
    except UnicodeEncodeError:
        raise Error("ENOKI_INVALID_KEY", "a key must be valid Unicode text") from None
    if len(data) > KEY_BYTES_MAX:
        raise Error("ENOKI_INVALID_KEY", f"a key has at most {KEY_BYTES_MAX} bytes, not {len(data)}")
    return data


def encode_value(value):
    """A value as (tag, bytes); raises ENOKI_VALUE_UNSUPPORTED or ENOKI_VALUE_TOO_LARGE."""
    if isinstance(value, str):
        try:
            tag, data = STR, value.encode()
        except UnicodeEncodeError:
            raise _unsupported("text must be valid Unicode, without lone surrogates") from None
    elif isinstance(value, (bytes, bytearray, memoryview)):
        tag, data = BYTES, bytes(value)
    else:
        tag, data = JSON, encode_json(value)
    if len(data) > VALUE_BYTES_MAX:
        raise Error("ENOKI_VALUE_TOO_LARGE", f"a value has at most {VALUE_BYTES_MAX} bytes, not {len(data)}")
    return tag, data


def encode_json(value):
    """A JSON value as UTF-8; raises ENOKI_VALUE_UNSUPPORTED for what would not come back as it is."""
    try:
        check_json(value)
        return _encode(value).encode()
    except UnicodeEncodeError:
        raise _unsupported("text must be valid Unicode, without lone surrogates") from None
    except RecursionError:
        raise _unsupported("the value is nested too deeply for the stack that is left") from None


def check_json(value, depth=0):
    """Raises ENOKI_VALUE_UNSUPPORTED unless `value` is JSON that every language reads alike."""
    if value is None or isinstance(value, (str, bool)):
        return
    if depth > _DEPTH_MAX:
        raise _unsupported("the value is nested too deeply, or contains itself")
    if isinstance(value, int):
        if not -_INTEGER_MAX <= value <= _INTEGER_MAX:
            raise _unsupported("integers must lie within ±(2^53−1); store larger ones as text")
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise _unsupported("NaN and infinities are not JSON")
    elif isinstance(value, list):
        for item in value:
            check_json(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise _unsupported(f"the keys of a dict must be str, not {type(key).__name__}")
            check_json(item, depth + 1)
    else:
        raise _unsupported(f"{type(value).__name__} cannot be stored; use str, bytes, dict, list, numbers, bool or None")


def decode_value(tag, data):
    """A value from its tag and bytes."""
    if tag == STR:
        return str(data, "utf-8")
    if tag == BYTES:
        return bytes(data)
    return _decode(str(data, "utf-8"))


def _decode(text):
    # why: most JSON here has no space around it, and half of the decoder's time goes into looking for some.
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    return value if end == len(text) else _decode_spaced(text)


def decode_json(data):
    """A JSON reply."""
    return _decode(str(data, "utf-8"))


def from_typed(typed):
    """A value as it lies in a JSON reply."""
    if typed["t"] == "bytes":
        return b64decode(typed["v"])
    return typed["v"]


def number(value):
    """What a counter may be changed by; raises ENOKI_VALUE_UNSUPPORTED."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _unsupported(f"a counter changes by a number, not {type(value).__name__}")
    check_json(value)
    return value


def duration_ms(text):
    """Milliseconds of a time to live such as "5s"; raises ENOKI_INVALID_INPUT."""
    milliseconds = any_duration_ms(text)
    if not milliseconds:
        raise Error("ENOKI_INVALID_INPUT", "a time to live is longer than 0")
    return milliseconds


def any_duration_ms(text):
    """Milliseconds of a duration, also of none; raises ENOKI_INVALID_INPUT."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise Error("ENOKI_INVALID_INPUT", f"{text!r} is no duration; write 200ms, 5s, 10m, 2h or 7d")
    return float(round(float(match[1]) * _UNITS_MS[match[2]]))


def _unsupported(message):
    return Error("ENOKI_VALUE_UNSUPPORTED", message)
