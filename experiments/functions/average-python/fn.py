"""The moving average of the paper (Figure 3): two reads and two writes, one after the other."""

import kv

WINDOW = 10


def call(i: str) -> str:
    """`CLIENT-VALUE`: each client has readings of its own."""
    client, value = i.split("-")
    place = int(kv.get(f"latest/{client}", "0"))
    readings = [float(text) for _, text in kv.scan(prefix=f"readings/{client}/", limit=WINDOW)]
    kv.set(f"readings/{client}/{place}", value)
    kv.set(f"latest/{client}", str((place + 1) % WINDOW))
    readings.append(float(value))
    return f"{sum(readings) / len(readings):.2f}"
