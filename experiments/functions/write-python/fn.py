"""Writes a value under a key that was never there (Figure 4b of the paper)."""

from uuid import uuid4

import kv


def call(i: str) -> str:
    """`CLIENT-BYTES`"""
    _, size_bytes = i.split("-")
    kv.set(uuid4().hex, "a" * int(size_bytes))
    return "ok"
