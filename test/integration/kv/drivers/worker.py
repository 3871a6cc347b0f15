"""A function whose calls work on shared keys and say what they did and when.

Times are CLOCK_MONOTONIC in milliseconds, the clock of Node's `process.hrtime` too, so that the histories of all
processes of a machine can be laid side by side.
"""

import random
import time

import kv

INSTANCE = f"{random.SystemRandom().getrandbits(64):x}"

store = kv


def call(job):
    global store
    store = kv.keygroup(job["keygroup"]) if "keygroup" in job else kv
    if "together" in job:
        arrive(job["together"], job["round"])
    if job["do"] == "history":
        return {"instance": INSTANCE, "history": history(job)}
    for _ in range(job["times"]):
        CHANGES[job["do"]]()
    return {"instance": INSTANCE}


def arrive(count, round):
    """Waits until `count` calls are here at once, so that as many instances (or slots) really work."""
    arrived = store.counter(f"arrived/{round}")
    arrived.add()
    while arrived.value() < count:
        pass


def careless():
    seen = store.get("careless", 0)
    store.set("careless", seen + 1)


CHANGES = {
    "update": lambda: store.update("updated", lambda value: (value or 0) + 1),
    "increment": lambda: store.increment("incremented"),
    "careless": careless,
}


def now_ms():
    return time.monotonic_ns() / 1e6


def history(job):
    chance = random.Random(job["seed"])
    return [operation(chance, chance.choice(job["keys"]), f"{job['seed']}-{n}") for n in range(job["count"])]


def operation(chance, key, unique):
    invoked = now_ms()
    dice = chance.random()
    if dice < 0.35:
        effect = {"op": "get", "value": store.get(key, None)}
    elif dice < 0.4:
        effect = {"op": "exists", "exists": store.exists(key)}
    elif dice < 0.55:
        store.set(key, unique)
        effect = {"op": "set", "wrote": unique}
    elif dice < 0.65:
        ttl = chance.randrange(5, 60)
        store.set(key, unique, ttl=f"{ttl}ms")
        effect = {"op": "set", "wrote": unique, "ttlMs": ttl}
    elif dice < 0.8:
        seen = []
        store.update(key, lambda value: seen.append(value) or unique)
        effect = {"op": "update", "saw": seen[-1], "wrote": unique}
    elif dice < 0.9:
        effect = compare_and_set(key, unique)
    else:
        effect = {"op": "delete", "existed": store.delete(key)}
    return {**effect, "key": key, "invokedMs": invoked, "returnedMs": now_ms()}


def compare_and_set(key, unique):
    entry = store.entry(key)
    condition = {"if_version": entry.version} if entry else {"if_absent": True}
    try:
        store.set(key, unique, **condition)
        ok = True
    except kv.Error as error:
        if error.code != "ENOKI_VERSION_CONFLICT":
            raise
        ok = False
    return {"op": "compareAndSet", "expected": entry.value if entry else None, "wrote": unique, "ok": ok}
