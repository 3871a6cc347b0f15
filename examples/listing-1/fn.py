import kv
def call(i: str) -> str:
    curr = kv.get(key="current")
    curr = curr + "Hello World!\n"
    kv.set(key="current", val=curr)
    return curr
