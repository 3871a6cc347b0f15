"""`ctx`: what a function can learn about the call besides its input. Everything is decoded when asked for."""

from time import time

from .failure import InvalidInput
from .protocol import INVOCATION_SIZE


class Headers(dict):
    """Header names in lower case → values; look-ups ignore case."""

    def __getitem__(self, name):
        return dict.__getitem__(self, name.lower())

    def get(self, name, default=None):
        return dict.get(self, name.lower(), default)

    def __contains__(self, name):
        return isinstance(name, str) and dict.__contains__(self, name.lower())


class Query(dict):
    """Parameter names → their first values. `all(name)` gives every value, `raw` the text as received."""

    def __init__(self, raw):
        from urllib.parse import parse_qsl

        self.raw = raw
        self._pairs = parse_qsl(raw, keep_blank_values=True)
        dict.__init__(self, reversed(self._pairs))

    def all(self, name):
        return [value for key, value in self._pairs if key == name]


class Context:
    """One call. `deadline` is in Unix seconds; `remaining()` says how many seconds are left."""

    __slots__ = ("deadline", "_body", "_fields", "_headers", "_payload", "_query")

    def __init__(self, payload, fields, body):
        self.deadline = time() + fields[0] / 1000
        self._payload = payload
        self._fields = fields
        self._body = body
        self._headers = None
        self._query = None

    def _part(self, index):
        # Fields 3… are the lengths of the parts, which follow each other.
        lengths = self._fields[3:]
        start = INVOCATION_SIZE + sum(lengths[:index])
        return str(self._payload[start : start + lengths[index]], "utf-8", "replace")

    @property
    def invocation_id(self):
        return self._fields[2].hex()

    @property
    def method(self):
        return self._part(0)

    @property
    def path(self):
        """What follows the function's name, percent-encoded as received: "" or "/…"."""
        return self._part(1)

    @property
    def query(self):
        if self._query is None:
            self._query = Query(self._part(2))
        return self._query

    @property
    def content_type(self):
        return self._part(3)

    @property
    def idempotency_key(self):
        """The same on every retry of an asynchronous call; None when there is none."""
        return self._part(4) or None

    @property
    def headers(self):
        if self._headers is None:
            self._headers = Headers(header_pairs(self._part(5)))
        return self._headers

    def remaining(self):
        return max(0.0, self.deadline - time())

    def bytes(self):
        """The body as it came."""
        return bytes(self._body)

    def text(self):
        """The body as UTF-8 text."""
        try:
            return str(self._body, "utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"the body is not UTF-8 text: {error}") from None

    def json(self):
        """The body parsed as JSON, whatever its content type."""
        from .inputs import parse_json

        return parse_json(self._body)


def header_pairs(text):
    """`name\\0value\\0…` as a dict; repeated headers are joined by a comma."""
    parts = text.split("\0")
    joined = {}
    for index in range(0, len(parts) - 1, 2):
        name, value = parts[index], parts[index + 1]
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def title_case_headers(payload, fields):
    """The headers as tinyFaaS hands them to Python: `Content-Type`, not `content-type`."""
    start = INVOCATION_SIZE + sum(fields[3:8])
    pairs = header_pairs(str(payload[start : start + fields[8]], "utf-8", "replace"))
    return {"-".join(part.capitalize() for part in name.split("-")): value for name, value in pairs.items()}
