"""What a Python function can use besides `kv`: other functions, and responses with a status.

    import enoki

    def call(i):
        plan = enoki.call("movement-plan", {"at": i})
        enoki.send("audit", plan)
        return plan

`enoki.aio` has the same `call` and `send`, awaitable.
"""

from __future__ import annotations

from enoki_kv import calls as _calls
from enoki_kv.connection import ask as _ask
from enoki_kv.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from . import aio

__all__ = ["Error", "Response", "aio", "call", "send"]


class Response:
    """A result with a status and headers of its own; `body` is what the function would have returned."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body=None, status=200, headers=None):
        self.body = body
        self.status = status
        self.headers = headers

    def __repr__(self):
        return f"Response({self.body!r}, status={self.status!r}, headers={self.headers!r})"


def call(
    name: str,
    data: Any = None,
    *,
    timeout: str | None = None,
    idempotency_key: str | None = None,
    method: str = "POST",
    path: str = "",
    headers: Mapping[str, str] | None = None,
) -> Any:
    """Calls a function by its name, on this node or the nearest one that runs it, and returns what it returns.

    `timeout` is a duration; in any case the call takes no longer than this one itself may. With an
    `idempotency_key` it may be tried again on another node after a break in which it may have run. Raises `Error`:
    with the code ENOKI_CALL_STATUS if the function answered with a status that is no success.
    """
    return _ask(_calls.call(name, data, timeout, idempotency_key, method, path, headers))


def send(
    name: str,
    data: Any = None,
    *,
    order_key: str | None = None,
    idempotency_key: str | None = None,
    method: str = "POST",
    path: str = "",
    headers: Mapping[str, str] | None = None,
) -> str:
    """Lets a function be called with `data` later, at least once, and returns the invocation's id.

    It returns as soon as that is as durable as a write of the function's keygroup. What is sent with one `order_key` is
    handled in the order in which it was sent, one after the other. A repeated `idempotency_key` sends nothing and gives
    the id of the first.
    """
    return _ask(_calls.send(name, data, order_key, idempotency_key, method, path, headers))


def __getattr__(name):
    if name == "aio":
        from importlib import import_module

        return import_module("enoki.aio")
    raise AttributeError(f"module 'enoki' has no attribute {name!r}")
