"""The key-value store next to the function: its own keygroup, at memory speed.

    import kv

    def call(i: str) -> str:
        seen = kv.get("seen") + i
        kv.set("seen", seen)
        return seen

Values are str, bytes or JSON (dict, list, numbers, bool, None) and come back as what they were. All of it may be
used from several threads; `kv.aio` has the same names, awaitable.
"""

from __future__ import annotations

import sys as _sys

from enoki_kv import requests as _requests
from enoki_kv.batches import Batch, Committed
from enoki_kv.changes import DELETE, Counter, Map, SetOf, Update
from enoki_kv.changes import increment as _increment
from enoki_kv.connection import ask as _ask
from enoki_kv.connection import operate as _operate
from enoki_kv.direct_reads import ASK_NODE as _ASK_NODE
from enoki_kv.direct_reads import reads as _reads
from enoki_kv.errors import Error
from enoki_kv.requests import Entry
from enoki_kv.values import decode_value as _decode_value
from enoki_kv.values import key_bytes as _key_bytes
from enoki_kv.watching import Event, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType
    from typing import Any, Union

    from . import aio

    Json = Union[dict, list, str, int, float, bool, None]
    Value = Union[str, bytes, Json]

__all__ = [
    "DELETE",
    "Batch",
    "Committed",
    "Counter",
    "Entry",
    "Error",
    "Event",
    "Map",
    "SetOf",
    "Watch",
    "aio",
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
_watch = Watch
# Whose copy this is; None = the function's own.
_keygroup = None
_GET = _requests.GET
_fresh = _requests.fresh
_pack_u16 = _requests.pack_u16


def get(
    key: str,
    default: Any = "",
    *,
    max_staleness: str | None = None,
    on_stale: str | None = None,
    within: str | None = None,
) -> Any:
    """The value of `key`; `default` if it is missing or expired.

    With `max_staleness`, a duration, it was overwritten nowhere longer ago than that. If the data here cannot promise
    it, `on_stale` decides: "wait" until they can (the default), ask a "peer", "serve" them all the same, or "fail";
    `within` says for how long.
    """
    if not (max_staleness is on_stale is within is None):
        return _ask(_fresh(_requests.get(key, default), max_staleness, on_stale, within))
    name = _key_bytes(key)
    found = _reads.get(name, default)
    if found is not _ASK_NODE:
        return found
    reply = _operate(_GET, _pack_u16(len(name)) + name)
    if not reply[1]:
        return default
    return _decode_value(reply[2], reply[3:])


def entry(
    key: str, *, max_staleness: str | None = None, on_stale: str | None = None, within: str | None = None
) -> Entry | None:
    """The value with its version and expiry; None if it is missing."""
    return _ask(_fresh(_requests.entry(key), max_staleness, on_stale, within))


def set(
    key: str, val: Value, *, ttl: str | None = None, if_version: str | None = None, if_absent: bool = False
) -> str:
    """Stores `val` and returns its version; a failed condition raises ENOKI_VERSION_CONFLICT."""
    return _ask(_requests.set(key, val, ttl, if_version, if_absent))


def delete(key: str) -> bool:
    """Deletes `key`; says whether it existed."""
    return _ask(_requests.delete(key))


def exists(
    key: str, *, max_staleness: str | None = None, on_stale: str | None = None, within: str | None = None
) -> bool:
    if not (max_staleness is on_stale is within is None):
        return _ask(_fresh(_requests.exists(key), max_staleness, on_stale, within))
    found = _reads.exists(_key_bytes(key))
    return _ask(_requests.exists(key)) if found is _ASK_NODE else found


def get_many(
    keys: Iterable[str],
    *,
    max_staleness: str | None = None,
    on_stale: str | None = None,
    within: str | None = None,
) -> dict[str, Value]:
    """The values of those `keys` that exist."""
    values = {}
    for some in _requests.in_groups(keys):
        if not (max_staleness is on_stale is within is None):
            values.update(_ask(_fresh(_requests.get_many(some), max_staleness, on_stale, within)))
            continue
        found = _reads.get_many(some, [_key_bytes(key) for key in some])
        values.update(_ask(_requests.get_many(some)) if found is _ASK_NODE else found)
    return values


def scan(
    start: str = "",
    end: str | None = None,
    prefix: str | None = None,
    limit: int | None = None,
    reverse: bool = False,
    *,
    max_staleness: str | None = None,
    on_stale: str | None = None,
    within: str | None = None,
) -> Iterator[tuple[str, Value]]:
    """Pairs (key, value) in the order of the keys' UTF-8; `start` is included, `end` is not."""
    freshness = (max_staleness, on_stale, within)
    return _pages(_requests.Scan(start, end, prefix, limit, reverse, False, freshness))


def keys(
    start: str = "",
    end: str | None = None,
    prefix: str | None = None,
    limit: int | None = None,
    reverse: bool = False,
    *,
    max_staleness: str | None = None,
    on_stale: str | None = None,
    within: str | None = None,
) -> Iterator[str]:
    """Like `scan`, without the values."""
    freshness = (max_staleness, on_stale, within)
    return _pages(_requests.Scan(start, end, prefix, limit, reverse, True, freshness))


def _pages(pages):
    while not pages.done:
        found = _ASK_NODE if pages.is_fresh else _reads.page(pages)
        yield from _ask(pages.request()) if found is _ASK_NODE else found


def update(key: str, fn: Callable[[Any], Any], once: str | None = None) -> Any:
    """Replaces the value by `fn(value)`, atomically, and returns it; `fn` may run more than once.

    `fn` gets None for a missing key. If it returns None, the key stays as it is; `kv.DELETE` deletes it.
    With `once`, the effect happens once for that key, however often it is asked for.
    """
    plan = Update(key, once)
    while True:
        found = _ask(plan.read)
        value = fn(found.value if found else None)
        request = plan.write(found, value)
        if request is None:
            return None
        try:
            done = _ask(request)
        except Error as error:
            pause_s = plan.pause_s(error)
        else:
            if once is not None and done.repeated:
                return get(key, None)
            return None if value is DELETE else value
        if pause_s:
            from time import sleep

            sleep(pause_s)


def increment(key: str, n: float = 1) -> float:
    """Adds `n` to the counter at `key` and returns its value."""
    return _ask(_increment(key, n))


def counter(k: str) -> Counter:
    return Counter(k, _ask)


def set_of(k: str) -> SetOf:
    return SetOf(k, _ask)


def map(k: str) -> Map:
    return Map(k, _ask)


def batch() -> Batch:
    """Several writes that happen together or not at all; ends with `.commit()`."""
    return Batch(_ask)


def siblings(key: str) -> list[Value]:
    """All concurrent values of `key`."""
    return _ask(_requests.siblings(key))


def watch(start: str | None = None, *, prefix: str | None = None) -> Watch:
    """An iterator over the changes of the keys from `start` on, or with `prefix`."""
    return _watch(start, prefix)


def keygroup(name: str) -> ModuleType:
    """The same methods on another keygroup, where granted; otherwise they raise ENOKI_FORBIDDEN."""
    from enoki_kv import elsewhere

    if elsewhere.is_own(name):
        return _sys.modules["kv"]
    within = elsewhere.wrap(name)

    def operate(operation, payload):
        return _base_operate(*within(operation, payload))

    def ask(request):
        operation, payload, decode = request
        return decode(operate(operation, payload))

    def watch(start, prefix):
        return Watch(start, prefix, within)

    return elsewhere.copy_of(
        "kv", name, _operate=operate, _ask=ask, _reads=elsewhere.NoReads(), _watch=watch, _keygroup=name
    )


def __getattr__(name):
    if name == "aio":
        from importlib import import_module

        aio = import_module("kv.aio")
        return aio if _keygroup is None else aio.keygroup(_keygroup)
    raise AttributeError(f"module 'kv' has no attribute {name!r}")
