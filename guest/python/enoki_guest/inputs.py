"""The body of a call as the value that the handler gets: the content type decides."""

from json import JSONDecoder

from .failure import InvalidInput

TEXT = 1
BYTES = 2
JSON = 3

_kinds = {b"": (TEXT, "utf-8")}
_KINDS_MAX = 256


def _refuse(constant):
    raise ValueError(f"{constant} is not JSON")


_decode = JSONDecoder(parse_constant=_refuse).decode


def parse_json(body):
    """The body as JSON; raises InvalidInput."""
    try:
        return _decode(str(body, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}") from None


def to_input(content_type, body, forced):
    """The handler's input. `forced` is TEXT or BYTES by an annotation, else 0."""
    kind, charset = _kinds.get(content_type) or _classify(content_type)
    if forced:
        if forced == TEXT and kind != TEXT:
            charset = "utf-8"
        kind = forced
    if kind == TEXT:
        try:
            return str(body, charset)
        except (UnicodeError, LookupError) as error:
            raise InvalidInput(f"the body is not {charset} text: {error}") from None
    if kind == JSON:
        return parse_json(body)
    return bytes(body)


def _classify(content_type):
    name, _, parameters = content_type.decode("latin-1").partition(";")
    name = name.strip().lower()
    charset = "utf-8"
    if name == "application/json":
        kind = JSON
    elif name.startswith("text/") or name in ("", "application/x-www-form-urlencoded"):
        kind = TEXT
        for parameter in parameters.split(";"):
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "charset":
                charset = value.strip().strip('"') or charset
    else:
        kind = BYTES
    if len(_kinds) < _KINDS_MAX:
        _kinds[content_type] = (kind, charset)
    return kind, charset
