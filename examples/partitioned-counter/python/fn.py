import kv


def call(i: str) -> str:
    """Adds a number to the counter; without one, only tells it."""
    return str(kv.increment("hits", int(i)) if i else kv.get("hits", 0))
