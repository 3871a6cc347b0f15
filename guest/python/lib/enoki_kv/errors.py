"""The one exception of the key-value library."""


class Error(Exception):
    """An operation that was refused or failed; `code` is stable, for example `ENOKI_VERSION_CONFLICT`."""

    def __init__(self, code, message=""):
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self):
        return f"{self.code}: {self.message}" if self.message else self.code


Error.__module__ = "kv"


def raise_reply(reply):
    """Raises the error that a REPLY of status 1 carries."""
    from json import loads

    fields = loads(bytes(reply[1:]))
    raise Error(fields.get("code", "ENOKI_INTERNAL"), fields.get("message", ""))
