import kv


def call(i: str) -> str:
    """Listing 1 of the paper: two calls at once read the same, and one of them is lost."""
    curr = kv.get(key="current")
    curr = curr + "Hello World!\n"
    kv.set(key="current", val=curr)
    return curr
