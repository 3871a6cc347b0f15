import kv


def call(name: str) -> str:
    visits = kv.increment("visits")
    return f"Hello, {name or 'World'}! You are visitor number {visits}.\n"
