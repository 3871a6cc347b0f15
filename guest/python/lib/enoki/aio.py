"""`enoki.call` and `enoki.send` for asyncio: the same, awaitable."""

from enoki_kv import calls as _calls
from enoki_kv.errors import Error
from enoki_kv.errors import raise_reply as _raise_reply
from enoki_kv.loops import operate_in_loop as _operate

__all__ = ["Error", "call", "send"]


async def call(name, data=None, *, timeout=None, idempotency_key=None, method="POST", path="", headers=None):
    return await _ask(_calls.call(name, data, timeout, idempotency_key, method, path, headers))


async def send(name, data=None, *, order_key=None, idempotency_key=None, method="POST", path="", headers=None):
    return await _ask(_calls.send(name, data, order_key, idempotency_key, method, path, headers))


async def _ask(request):
    operation, payload, decode = request
    reply = await _operate(operation, payload)
    if reply[0]:
        _raise_reply(reply)
    return decode(reply)
