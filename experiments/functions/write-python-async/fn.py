"""Writes a value under a key that was never there (Figure 4b of the paper), many calls at once in one process."""

from uuid import uuid4

from kv import aio as kv


async def call(i: str) -> str:
    """`CLIENT-BYTES`"""
    _, size_bytes = i.split("-")
    await kv.set(uuid4().hex, "a" * int(size_bytes))
    return "ok"
