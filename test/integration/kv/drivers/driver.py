"""Runs one case of kv-cases.json with `kv` or `kv.aio` and reports the result of each step.

The steps are one coroutine for both: with plain `kv` nothing in it ever waits, so `run_plain` drives it by hand.
Why so long: each kind of step is a few lines, and all are deployed with a function, as one file.
"""

import asyncio
import base64
import datetime
import time

import kv
from kv import aio

FILL_GROUP = 500


def run_plain(case):
    steps = run(kv, case)
    try:
        steps.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("plain kv waited for an event loop")


async def run_async(case):
    return await run(aio, case)


async def run(store, case):
    if not case.get("keep"):
        await clear(store)
    saved = {}
    results = []
    for step in case["steps"]:
        try:
            results.append({"ok": await OPS[step["op"]](store, step, saved)})
        except kv.Error as error:
            results.append({"error": error.code})
        except Thrown:
            results.append({"error": "thrown"})
        except Exception as error:
            results.append({"error": f"{type(error).__name__}: {error}"})
    return {"results": results}


class Thrown(Exception):
    pass


async def done(result):
    return await result if hasattr(result, "__await__") else result


async def all_of(items):
    if hasattr(items, "__aiter__"):
        return [item async for item in items]
    return list(items)


async def clear(store):
    keys = await all_of(store.keys())
    for at in range(0, len(keys), FILL_GROUP):
        batch = store.batch()
        for key in keys[at : at + FILL_GROUP]:
            batch.delete(key)
        await done(batch.commit())


# Values between the case and Python


def decode(value, saved=None):
    if isinstance(value, list):
        return [decode(item, saved) for item in value]
    if not isinstance(value, dict):
        return value
    if "$" not in value:
        return {name: decode(item, saved) for name, item in value.items()}
    return SPECIAL[value["$"]](value, saved)


def number(text):
    try:
        return int(text)
    except ValueError:
        return float(text)


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


def circular():
    value = []
    value.append(value)
    return value


SPECIAL = {
    "bytes": lambda v, _: base64.b64decode(v["v"]),
    "number": lambda v, _: number(v["text"]),
    "repeat": lambda v, _: v["text"] * v["times"],
    "zeros": lambda v, _: bytes(v["count"]),
    "list": lambda v, _: list(range(v["count"])),
    "nested": lambda v, _: nested(v["depth"]),
    "saved": lambda v, saved: saved[v["name"]],
    "intKeys": lambda v, _: {1: "x"},
    "unsupported": lambda v, _: object(),
    "nativeSet": lambda v, _: {1, 2},
    "date": lambda v, _: datetime.datetime(2020, 1, 1),
    "tuple": lambda v, _: (1, 2),
    "circular": lambda v, _: circular(),
}


def encode(value):
    if isinstance(value, bytes):
        return {"$": "bytes", "v": base64.b64encode(value).decode()}
    return value


def options(step, saved):
    names = {"ttl": "ttl", "ifVersion": "if_version", "ifAbsent": "if_absent"}
    return {ours: decode(step[name], saved) for name, ours in names.items() if name in step}


def bounds(step):
    return {name: decode(step[name]) for name in ("start", "end", "prefix", "limit", "reverse") if name in step}


def save(step, saved, version):
    if "as" in step:
        saved[step["as"]] = version


# Operations


async def op_get(store, step, saved):
    key = decode(step["key"])
    if "default" in step:
        return encode(await done(store.get(key, decode(step["default"]))))
    return encode(await done(store.get(key)))


async def op_entry(store, step, saved):
    entry = await done(store.entry(decode(step["key"])))
    if entry is None:
        return None
    save(step, saved, entry.version)
    left = None if entry.expires_at is None else entry.expires_at * 1000 - time.time() * 1000
    return {"value": encode(entry.value), "version": entry.version, "leftMs": left}


async def op_set(store, step, saved):
    version = await done(store.set(decode(step["key"]), decode(step["value"]), **options(step, saved)))
    save(step, saved, version)
    return version


async def op_delete(store, step, saved):
    return await done(store.delete(decode(step["key"])))


async def op_exists(store, step, saved):
    return await done(store.exists(decode(step["key"])))


async def op_length(store, step, saved):
    return len(await done(store.get(decode(step["key"]))))


async def op_native_type(store, step, saved):
    return type(await done(store.get(step["key"]))).__name__


async def op_same(store, step, saved):
    return saved[step["left"]] == saved[step["right"]]


async def op_until_missing(store, step, saved):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if not await done(store.exists(step["key"])):
            return True
    return False


async def op_get_many(store, step, saved):
    found = await done(store.get_many([decode(key) for key in step["keys"]]))
    return {key: encode(value) for key, value in found.items()}


async def op_get_many_filled(store, step, saved):
    return len(await done(store.get_many([filled(step, n) for n in range(step["count"])])))


async def op_scan(store, step, saved):
    return [[key, encode(value)] for key, value in await all_of(store.scan(**bounds(step)))]


async def op_keys(store, step, saved):
    return await all_of(store.keys(**bounds(step)))


async def op_ends(store, step, saved):
    if step.get("values"):
        keys = [key for key, _ in await all_of(store.scan(**bounds(step)))]
    else:
        keys = await all_of(store.keys(**bounds(step)))
    return {"count": len(keys), "first": keys[0], "last": keys[-1]}


def filled(step, n):
    return f"{step['prefix']}{n:05}"


async def op_fill(store, step, saved):
    for at in range(0, step["count"], FILL_GROUP):
        batch = store.batch()
        for n in range(at, min(at + FILL_GROUP, step["count"])):
            batch.set(filled(step, n), n)
        await done(batch.commit())


async def op_batch_filled(store, step, saved):
    batch = store.batch()
    for n in range(step["count"]):
        batch.set(filled(step, n), n)
    await done(batch.commit())


async def op_update(store, step, saved):
    key = decode(step["key"])
    seen = []

    def fn(value):
        seen.append(value)
        if len(seen) == 1 and step["fn"] in ("addAfterChange", "deleteOneAfterChange"):
            kv.set(key, 100)
        if len(seen) == 1 and step["fn"] == "addAfterDelete":
            kv.delete(key)
        return CHANGES[step["fn"]](value, step.get("arg"))

    once = {"once": decode(step["once"])} if "once" in step else {}
    value = await done(store.update(key, fn, **once))
    return {"value": encode(value), "saw": encode(seen[-1]) if seen else None, "calls": len(seen)}


def fail(_value, _arg):
    raise Thrown


CHANGES = {
    "append": lambda value, arg: (value or "") + arg,
    "add": lambda value, arg: (value or 0) + arg,
    "addAfterChange": lambda value, arg: (value or 0) + arg,
    "addAfterDelete": lambda value, arg: (value or 0) + arg,
    "push": lambda value, arg: [*value, arg],
    "same": lambda value, arg: value,
    "nothing": lambda value, arg: None,
    "delete": lambda value, arg: kv.DELETE,
    "deleteOneAfterChange": lambda value, arg: kv.DELETE if value == 1 else None,
    "unsupported": lambda value, arg: object(),
    "fail": fail,
}


def amount(step):
    return {"n": decode(step["n"])} if "n" in step else {}


async def op_increment(store, step, saved):
    return await done(store.increment(decode(step["key"]), **amount(step)))


async def op_counter_add(store, step, saved):
    return await done(store.counter(decode(step["key"])).add(**amount(step)))


async def op_counter_value(store, step, saved):
    return await done(store.counter(step["key"]).value())


async def op_set_add(store, step, saved):
    return await done(store.set_of(decode(step["key"])).add(decode(step["member"])))


async def op_set_remove(store, step, saved):
    return await done(store.set_of(step["key"]).remove(decode(step["member"])))


async def op_set_value(store, step, saved):
    return await done(store.set_of(step["key"]).value())


async def op_map_set(store, step, saved):
    return await done(store.map(decode(step["key"])).set(step["field"], decode(step["value"])))


async def op_map_add(store, step, saved):
    return await done(store.map(step["key"]).add(step["field"], **amount(step)))


async def op_map_remove(store, step, saved):
    return await done(store.map(step["key"]).remove(step["field"]))


async def op_map_value(store, step, saved):
    return await done(store.map(step["key"]).value())


async def op_batch(store, step, saved):
    batch = store.batch()
    for check in step.get("checks", []):
        batch.check(decode(check["key"]), decode(check["version"], saved))
    for write in step["writes"]:
        key = decode(write["key"])
        if write["op"] == "set":
            batch.set(key, decode(write["value"]), **options(write, saved))
        elif write["op"] == "delete":
            batch.delete(key)
        else:
            batch.increment(key, **amount(write))
    if "once" in step:
        batch.once(step["once"])
    committed = await done(batch.commit())
    if committed.versions:
        save(step, saved, committed.versions[0])
    return {"versions": committed.versions, "repeated": committed.repeated}


async def op_siblings(store, step, saved):
    return [encode(value) for value in await done(store.siblings(decode(step["key"])))]


async def op_watch(store, step, saved):
    bound = {name: decode(step[name]) for name in ("start", "prefix") if name in step}
    watch = store.watch(**bound)
    if store is kv:
        with watch:
            await change(store, step)
            events = [next(watch) for _ in range(step["count"])]
    else:
        # An asynchronous generator begins with its first step, so that one is taken before the writes.
        first = asyncio.ensure_future(watch.__anext__())
        await asyncio.sleep(0)
        if step["count"] == 0:
            await first
        await change(store, step)
        events = [await first] + [await watch.__anext__() for _ in range(step["count"] - 1)]
        await watch.aclose()
    return [[event.key, {"$": "deleted"} if event.deleted else encode(event.value)] for event in events]


async def change(store, step):
    for write in step["writes"]:
        try:
            await OPS[write["op"]](store, write, {})
        except kv.Error as error:
            if error.code != write.get("error"):
                raise


async def op_keygroup(store, step, saved):
    key = step["key"]
    name = OWN if step["name"] == "own" else step["name"]
    other = store.keygroup(name)
    does = {
        "get": lambda: other.get(key),
        "set": lambda: other.set(key, "through keygroup"),
        "scan": lambda: all_of(other.scan()),
        "update": lambda: other.update(key, lambda value: 1),
        "batch": lambda: other.batch().set(key, 1).commit(),
    }
    return encode(await done(does[step["do"]]()))


OWN = ""

OPS = {
    "get": op_get,
    "entry": op_entry,
    "set": op_set,
    "delete": op_delete,
    "exists": op_exists,
    "length": op_length,
    "nativeType": op_native_type,
    "same": op_same,
    "untilMissing": op_until_missing,
    "getMany": op_get_many,
    "getManyFilled": op_get_many_filled,
    "scan": op_scan,
    "keys": op_keys,
    "ends": op_ends,
    "fill": op_fill,
    "batchFilled": op_batch_filled,
    "update": op_update,
    "increment": op_increment,
    "counterAdd": op_counter_add,
    "counterValue": op_counter_value,
    "setAdd": op_set_add,
    "setRemove": op_set_remove,
    "setValue": op_set_value,
    "mapSet": op_map_set,
    "mapAdd": op_map_add,
    "mapRemove": op_map_remove,
    "mapValue": op_map_value,
    "batch": op_batch,
    "siblings": op_siblings,
    "watch": op_watch,
    "keygroup": op_keygroup,
}
