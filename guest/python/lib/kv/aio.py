"""`kv` for asyncio: the same names, awaitable. `scan`, `keys` and `watch` are asynchronous iterators."""

from __future__ import annotations

import sys as _sys
from asyncio import sleep as _sleep

from enoki_kv import requests as _requests
from enoki_kv import watching as _watching
from enoki_kv.batches import Batch
from enoki_kv.changes import DELETE, Counter, Map, SetOf, Update
from enoki_kv.changes import increment as _increment
from enoki_kv.direct_reads import ASK_NODE as _ASK_NODE
from enoki_kv.direct_reads import reads as _reads
from enoki_kv.errors import Error
from enoki_kv.errors import raise_reply as _raise_reply
from enoki_kv.loops import operate_in_loop as _operate
from enoki_kv.loops import watch_in_loop as _watch_in_loop
from enoki_kv.requests import Entry
from enoki_kv.requests import fresh as _fresh
from enoki_kv.values import key_bytes as _key_bytes
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

_base_operate = _operate
_base_watch = _watch_in_loop

# Reads in place before the node is asked once: code that only reads then lets the event loop turn now and again, as it
# would if all its reads went over the channel.
_READS_IN_A_ROW_MAX = 256
_reads_in_a_row = 0


async def _ask(request):
    global _reads_in_a_row
    _reads_in_a_row = 0
    operation, payload, decode = request
    reply = await _operate(operation, payload)
    if reply[0]:
        _raise_reply(reply)
    return decode(reply)


def _in_place(read, *arguments):
    """What `read` finds, unless it is time to ask the node."""
    global _reads_in_a_row
    _reads_in_a_row += 1
    return _ASK_NODE if _reads_in_a_row > _READS_IN_A_ROW_MAX else read(*arguments)


async def get(key, default="", *, max_staleness=None, on_stale=None, within=None):
    if not (max_staleness is on_stale is within is None):
        return await _ask(_fresh(_requests.get(key, default), max_staleness, on_stale, within))
    found = _in_place(_reads.get, _key_bytes(key), default)
    return await _ask(_requests.get(key, default)) if found is _ASK_NODE else found


async def entry(key, *, max_staleness=None, on_stale=None, within=None):
    return await _ask(_fresh(_requests.entry(key), max_staleness, on_stale, within))


async def set(key, val, *, ttl=None, if_version=None, if_absent=False):
    return await _ask(_requests.set(key, val, ttl, if_version, if_absent))


async def delete(key):
    return await _ask(_requests.delete(key))


async def exists(key, *, max_staleness=None, on_stale=None, within=None):
    if not (max_staleness is on_stale is within is None):
        return await _ask(_fresh(_requests.exists(key), max_staleness, on_stale, within))
    found = _in_place(_reads.exists, _key_bytes(key))
    return await _ask(_requests.exists(key)) if found is _ASK_NODE else found


async def get_many(keys, *, max_staleness=None, on_stale=None, within=None):
    values = {}
    for some in _requests.in_groups(keys):
        if not (max_staleness is on_stale is within is None):
            values.update(await _ask(_fresh(_requests.get_many(some), max_staleness, on_stale, within)))
            continue
        found = _in_place(_reads.get_many, some, [_key_bytes(key) for key in some])
        values.update(await _ask(_requests.get_many(some)) if found is _ASK_NODE else found)
    return values


def scan(
    start="", end=None, prefix=None, limit=None, reverse=False, *, max_staleness=None, on_stale=None, within=None
):
    return _pages(_requests.Scan(start, end, prefix, limit, reverse, False, (max_staleness, on_stale, within)))


def keys(
    start="", end=None, prefix=None, limit=None, reverse=False, *, max_staleness=None, on_stale=None, within=None
):
    return _pages(_requests.Scan(start, end, prefix, limit, reverse, True, (max_staleness, on_stale, within)))


async def _pages(pages):
    while not pages.done:
        found = _ASK_NODE if pages.is_fresh else _in_place(_reads.page, pages)
        for item in await _ask(pages.request()) if found is _ASK_NODE else found:
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
    from enoki_kv import elsewhere

    if elsewhere.is_own(name):
        return _sys.modules["kv.aio"]
    within = elsewhere.wrap(name)

    async def operate(operation, payload):
        return await _base_operate(*within(operation, payload))

    def watch_in_loop(payload):
        return _base_watch(payload, within)

    return elsewhere.copy_of(
        "kv.aio", name, _operate=operate, _reads=elsewhere.NoReads(), _watch_in_loop=watch_in_loop
    )
