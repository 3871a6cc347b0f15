"""Calls of other functions as requests, in the form of `requests`: (operation, payload, decoder of the reply)."""

from struct import Struct

from .errors import Error
from .requests import sized
from .values import BYTES, JSON, STR, any_duration_ms, encode_value

CALL = 10
SEND = 11

_TYPES = {STR: b"text/plain; charset=utf-8", BYTES: b"application/octet-stream", JSON: b"application/json"}
_U32 = Struct("<I")
_U32_MAX = 2**32 - 1
_TEXT_BYTES_MAX = 0xFFFF
# Status, length of the content type, length of the headers.
_RESULT = Struct("<HHI")


def call(name, data, timeout, idempotency_key, method, path, headers):
    def decode(reply):
        return _result(name, reply)

    return CALL, _payload(name, data, timeout, idempotency_key, "", method, path, headers), decode


def send(name, data, order_key, idempotency_key, method, path, headers):
    return SEND, _payload(name, data, None, idempotency_key, order_key or "", method, path, headers), _id


def _id(reply):
    return str(reply[1:], "ascii")


def _payload(name, data, timeout, idempotency_key, order_key, method, path, headers):
    if not isinstance(name, str):
        raise Error("ENOKI_INVALID_NAME", "the name of a function is a str")
    if data is None and method in ("GET", "HEAD"):
        content_type, body = b"", b""
    else:
        tag, body = encode_value(data)
        content_type = _TYPES[tag]
    path, _, query = _checked("path", path).partition("?")
    texts = (name, method, path, query)
    return b"".join(
        (
            _U32.pack(_timeout_ms(timeout)),
            *[_text("name, method and path", text) for text in texts],
            sized(content_type),
            _text("idempotency_key", idempotency_key or ""),
            _text("order_key", order_key),
            _text("headers", _joined(headers)),
            body,
        )
    )


def _timeout_ms(timeout):
    if timeout is None:
        return 0
    timeout_ms = any_duration_ms(timeout)
    if not timeout_ms:
        raise Error("ENOKI_INVALID_INPUT", "a timeout is longer than 0")
    return min(int(timeout_ms) or 1, _U32_MAX)


def _checked(option, text):
    if not isinstance(text, str):
        raise Error("ENOKI_INVALID_INPUT", f"{option} is a str")
    return text


def _text(option, text):
    try:
        data = _checked(option, text).encode()
    except UnicodeEncodeError:
        raise Error("ENOKI_INVALID_INPUT", f"{option}: not valid Unicode text") from None
    if len(data) > _TEXT_BYTES_MAX:
        raise Error("ENOKI_INVALID_INPUT", f"{option}: more than {_TEXT_BYTES_MAX} bytes")
    return sized(data)


def _joined(headers):
    if not headers:
        return ""
    fields = []
    for name, value in headers.items() if hasattr(headers, "items") else headers:
        if not isinstance(name, str) or not isinstance(value, (str, int)) or not name:
            raise Error("ENOKI_INVALID_INPUT", f"the header {name!r} is not a pair of strings")
        if any(char in name + str(value) for char in "\0\r\n"):
            raise Error("ENOKI_INVALID_INPUT", f"the header {name!r} contains a line break or a zero")
        fields.append(f"{name.lower()}\0{value}\0")
    return "".join(fields)


def _result(name, reply):
    _, type_length, headers_length = _RESULT.unpack_from(reply, 1)
    type_at = 1 + _RESULT.size
    content_type = bytes(reply[type_at : type_at + type_length])
    body = reply[type_at + type_length + headers_length :]
    if not content_type and not len(body):
        return None
    # The same rule as for what a handler gets; a reply exists only where the guest is.
    from enoki_guest.failure import InvalidInput
    from enoki_guest.inputs import to_input

    try:
        return to_input(content_type, body, 0)
    except InvalidInput as error:
        raise Error("ENOKI_INVALID_RESULT", f"what {name!r} returned: {error}") from None
