"""Counts what was seen, and keeps each count with its time.

Messages may come twice; `once` lets each count only once.
"""

from collections import Counter
from datetime import datetime, timezone

import kv


def call(i: dict, ctx) -> dict:
    counts = dict(Counter(thing["type"] for thing in i["objects"]))
    # A message has a key; a call over HTTP may come without.
    once = ctx.idempotency_key or ctx.invocation_id
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    batch = kv.batch().set(f"at/{now}/{once}", counts)
    for kind, count in counts.items():
        batch.increment(f"total/{kind}", count)
    batch.increment("pictures").once(once).commit()
    return counts
