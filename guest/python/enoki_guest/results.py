"""What a handler returned as a RESULT frame: its type decides."""

from json import JSONEncoder

from enoki import Response

from .failure import InvalidResult, OutputTooLarge
from .protocol import RESULT, RESULT_COUNTED, RESULT_HEAD

_TEXT = b"text/plain; charset=utf-8"
_JSON = b"application/json"
_BYTES = b"application/octet-stream"

_encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_pack = RESULT_HEAD.pack


def to_result(id, value, bytes_max, flags=0):
    """The RESULT frame of call `id`, with `flags` beside its status; raises InvalidResult or OutputTooLarge."""
    if type(value) is str:
        try:
            body = value.encode()
        except UnicodeEncodeError as error:
            raise InvalidResult(f"the text cannot be sent as UTF-8: {error}") from None
        if len(body) <= bytes_max:
            return _pack(RESULT_COUNTED + 25 + len(body), RESULT, id, 200 | flags, 25, 0) + _TEXT + body
    status, content_type, headers = 200, None, b""
    if isinstance(value, Response):
        status, content_type, headers = _head(value)
        value = value.body
    kind, body = _body(value)
    if len(body) > bytes_max:
        raise OutputTooLarge(f"the function returned {len(body)} bytes; at most {bytes_max} are allowed")
    if content_type is None:
        content_type = kind
    length = RESULT_COUNTED + len(content_type) + len(headers) + len(body)
    return b"".join(
        (_pack(length, RESULT, id, status | flags, len(content_type), len(headers)), content_type, headers, body)
    )


def _body(value):
    if value is None:
        return b"", b""
    if isinstance(value, (bytes, bytearray)):
        return _BYTES, value
    if isinstance(value, memoryview):
        return _BYTES, bytes(value)
    try:
        if isinstance(value, str):
            return _TEXT, value.encode()
        if isinstance(value, (dict, list, int, float)):
            return _JSON, _encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidResult(f"the result cannot be sent: {error}") from None
    raise InvalidResult(f"a function cannot return {type(value).__name__}; return str, bytes, JSON, None or enoki.Response")


def _head(response):
    status = response.status
    if type(status) is not int or not 200 <= status <= 599:
        raise InvalidResult(f"{status!r} is no HTTP status between 200 and 599")
    content_type = None
    fields = []
    headers = response.headers or {}
    for name, value in headers.items() if hasattr(headers, "items") else headers:
        if not isinstance(name, str) or not isinstance(value, (str, int)) or not name:
            raise InvalidResult(f"the header {name!r} is not a pair of strings")
        name, value = name.lower(), str(value)
        if any(char in name + value for char in "\0\r\n"):
            raise InvalidResult(f"the header {name!r} contains a line break or a zero")
        if name == "content-type":
            content_type = value.encode("utf-8", "replace")
        else:
            fields.append(f"{name}\0{value}\0")
    return status, content_type, "".join(fields).encode("utf-8", "replace")
