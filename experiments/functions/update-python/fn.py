import kv


def call(i: str) -> str:
    """Listing 1 with an atomic update."""
    return kv.update("current", lambda curr: (curr or "") + "Hello World!\n")
