"""Reads a value and drops it (Figure 4a of the paper)."""

import kv


def call(i: str) -> str:
    """`CLIENT-BYTES`: each client has a value of its own, which is made if it is missing."""
    client, size_bytes = i.split("-")
    if kv.get(f"data/{client}", None) is None:
        kv.set(f"data/{client}", "a" * int(size_bytes))
    return "ok"
