"""The paper's moving average (§4.1): stores a reading and returns the mean of the ten latest."""

import kv

WINDOW = 10


def call(reading: str) -> dict:
    latest = int(kv.get("latest", default="-1")) + 1
    # Both at once: one commit, and nobody sees the pointer without its reading.
    kv.batch().set(f"reading/{latest % WINDOW}", float(reading)).set("latest", str(latest)).commit()
    readings = [value for _, value in kv.scan(prefix="reading/")]
    return {"count": latest + 1, "average": sum(readings) / len(readings)}
