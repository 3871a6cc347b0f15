import kv


def call(value: str) -> str:
    """Reads the counter when it is called with nothing, else writes it."""
    if value == "":
        return kv.get("counter", "No value yet")
    kv.set("counter", value)
    return ""
