"""`kv` for asyncio: the same names, awaitable. `scan`, `keys` and `watch` are asynchronous iterators."""

from __future__ import annotations

import sys as _sys
from asyncio import sleep as _sleep

from enoki_kv import requests as _requests
from enoki_kv import watching as _watching
from enoki_kv.changes import DELETE, Batch, Counter, Map, SetOf, Update
from enoki_kv.changes import increment as _increment
from enoki_kv.connection import channel as _channel
from enoki_kv.errors import Error
from enoki_kv.errors import raise_reply as _raise_reply
from enoki_kv.loops import operate_in_loop as _operate
from enoki_kv.loops import watch_in_loop as _watch_in_loop
from enoki_kv.requests import Entry
from enoki_kv.watching import Event

__all__ = [
    "DELETE",
    "Entry",
    "Error",
    "Event",
    "batch",
    "counter",
    "delete",
    "entry",
    "exists",
    "get",
    "get_many",
    "increment",
    "keygroup",
    "keys",
    "map",
    "scan",
    "set",
    "set_of",
    "siblings",
    "update",
    "watch",
]


async def _ask(request):
    operation, payload, decode = request
    reply = await _operate(operation, payload)
    if reply[0]:
        _raise_reply(reply)
    return decode(reply)


async def get(key, default=""):
    return await _ask(_requests.get(key, default))


async def entry(key):
    return await _ask(_requests.entry(key))


async def set(key, val, *, ttl=None, if_version=None, if_absent=False):
    return await _ask(_requests.set(key, val, ttl, if_version, if_absent))


async def delete(key):
    return await _ask(_requests.delete(key))


async def exists(key):
    return await _ask(_requests.exists(key))


async def get_many(keys):
    values = {}
    for some in _requests.in_groups(keys):
        values.update(await _ask(_requests.get_many(some)))
    return values


def scan(start="", end=None, prefix=None, limit=None, reverse=False):
    return _pages(_requests.Scan(start, end, prefix, limit, reverse, False))


def keys(start="", end=None, prefix=None, limit=None, reverse=False):
    return _pages(_requests.Scan(start, end, prefix, limit, reverse, True))


async def _pages(pages):
    while not pages.done:
        for item in await _ask(pages.request()):
            yield item


async def update(key, fn, once=None):
    """Like `kv.update`; `fn` may be async."""
    plan = Update(key, once)
    while True:
        found = await _ask(plan.read)
        value = fn(found.value if found else None)
        if hasattr(value, "__await__"):
            value = await value
        request = plan.write(found, value)
        if request is None:
            return None
        try:
            done = await _ask(request)
        except Error as error:
            pause_s = plan.pause_s(error)
        else:
            if once is not None and done.repeated:
                return await get(key, None)
            return None if value is DELETE else value
        await _sleep(pause_s)


async def increment(key, n=1):
    return await _ask(_increment(key, n))


def counter(k):
    return Counter(k, _ask)


def set_of(k):
    return SetOf(k, _ask)


def map(k):
    return Map(k, _ask)


def batch():
    return Batch(_ask)


async def siblings(key):
    return await _ask(_requests.siblings(key))


def watch(start=None, *, prefix=None):
    payload = _watching.watch_request(start, prefix)
    return _watch_in_loop(payload)


def keygroup(name):
    _requests.check_own_keygroup(name, _channel().keygroup)
    return _sys.modules[__name__]
