"""Reads a value and drops it (Figure 4a of the paper), many calls at once in one process."""

from kv import aio as kv


async def call(i: str) -> str:
    """`CLIENT-BYTES`: each client has a value of its own, which is made if it is missing."""
    client, size_bytes = i.split("-")
    if await kv.get(f"data/{client}", None) is None:
        await kv.set(f"data/{client}", "a" * int(size_bytes))
    return "ok"
