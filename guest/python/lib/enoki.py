"""What a Python function can use besides `kv`."""


class Response:
    """A result with a status and headers of its own; `body` is what the function would have returned."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body=None, status=200, headers=None):
        self.body = body
        self.status = status
        self.headers = headers

    def __repr__(self):
        return f"Response({self.body!r}, status={self.status!r}, headers={self.headers!r})"
