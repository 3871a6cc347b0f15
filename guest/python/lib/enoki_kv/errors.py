"""The one exception of what a function asks of its node."""


class Error(Exception):
    """An operation that was refused or failed; `code` is stable, for example `ENOKI_VERSION_CONFLICT`.

    `extra` has what else is known of it, such as the `status` of a function that was called.
    """

    def __init__(self, code, message="", extra=None):
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.extra = extra or {}

    def __str__(self):
        return f"{self.code}: {self.message}" if self.message else self.code


Error.__module__ = "kv"


def raise_reply(reply):
    """Raises the error that a REPLY of status 1 carries."""
    from json import loads

    fields = loads(bytes(reply[1:]))
    raise Error(fields.pop("code", "ENOKI_INTERNAL"), fields.pop("message", ""), fields)
