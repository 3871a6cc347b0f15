"""`reader.mjs` in Python: each operation reads its keygroup and says what it found."""

import errno
import os
import threading
import time

import kv

KEYS = 10


def alternate(times):
    """Sets and reads in turn; the answer counts the reads that did not see their write."""
    stale = 0
    for i in range(times):
        kv.set("turn", str(i))
        if kv.get("turn") != str(i):
            stale += 1
    return stale


def get(key):
    return {"value": kv.get(key, "missing"), "exists": kv.exists(key)}


def get_many(keys):
    return list(kv.get_many(keys).items())


def scan(range):
    return list(kv.scan(**range))


def keys(range):
    return list(kv.keys(**range))


def store(key, value, ttl=None):
    kv.set(key, value, ttl=ttl)


def delete(key):
    kv.delete(key)


def add(key, n):
    kv.counter(key).add(n)


def members(key, member):
    kv.set_of(key).add(member)


def threads(times):
    """Reads on several threads at once; the answer lists what was wrong."""
    wrong = []

    def read(name):
        for i in range(times):
            key = f"p/{(i * 7 + name) % 2500}"
            expected = kv.get_many([key])[key]
            if kv.get(key) != expected or next(kv.scan(key, limit=1)) != (key, expected):
                wrong.append(key)

    running = [threading.Thread(target=read, args=(name,)) for name in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return wrong


def check(forMs, **options):
    """Reads values that hold their own proof, for a while; the answer lists what was wrong."""
    wrong = []
    end = time.monotonic() + forMs / 1000
    reads = 0
    latest = options["from"]
    while time.monotonic() < end and len(wrong) < 5:
        found = list(kv.scan(prefix="s/", reverse=reads % 2 == 1))
        round = found[0][1]["n"] if found else -1
        whole = len(found) == KEYS and all(
            key == f"s/{item['i']}" and item["n"] == round and item["c"] == (round * 31 + item["i"]) % 997
            for key, item in found
        )
        if not whole or round < latest:
            wrong.append({"latest": latest, "found": found})
        else:
            latest = round
        big = kv.get("big")
        if big.count(big[:1]) != len(big):
            wrong.append("big")
        one = kv.get("s/3")
        if one["n"] < latest or one["c"] != (one["n"] * 31 + 3) % 997:
            wrong.append({"latest": latest, "one": one})
        else:
            latest = one["n"]
        reads += 1
    return {"reads": reads, "latest": latest, "wrong": wrong}


def attack():
    """What a function might try with the file that it reads."""

    def reopen():
        file = os.open("/function/store.mdb", os.O_RDONLY)
        os.open(f"/proc/self/fd/{file}", os.O_RDWR)

    tries = {
        "write": lambda: os.open("/function/store.mdb", os.O_RDWR),
        "append": lambda: os.open("/function/store.mdb", os.O_WRONLY | os.O_APPEND),
        "unlink": lambda: os.unlink("/function/store.mdb"),
        "lock": lambda: os.open("/function/lock.mdb", os.O_RDWR | os.O_CREAT | os.O_TRUNC),
        "reopen": reopen,
    }
    outcomes = {"files": sorted(os.listdir("/function"))}
    for name, attempt in tries.items():
        try:
            attempt()
            outcomes[name] = "did it"
        except OSError as error:
            outcomes[name] = errno.errorcode[error.errno]
    return outcomes


OPERATIONS = {
    "alternate": alternate,
    "get": get,
    "getMany": get_many,
    "scan": scan,
    "keys": keys,
    "set": store,
    "delete": delete,
    "add": add,
    "members": members,
    "threads": threads,
    "check": check,
    "attack": attack,
}


def call(i):
    return {"result": OPERATIONS[i.pop("op")](**i)}
