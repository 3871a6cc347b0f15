"""Runs cases of kv-cases.json through the Python client: reads {"url", "keygroup", "cases"} and prints the results.

The steps are those of functions (`driver.py`), for which the client's names stand in for the module `kv`.
"""

import json
import sys
import types

from enoki_client import DELETE, EnokiError, connect


def main():
    asked = json.load(sys.stdin)
    store = connect(asked["url"]).kv(asked["keygroup"])
    kv = types.ModuleType("kv")
    kv.__dict__.update(Error=EnokiError, DELETE=DELETE, set=store.set, delete=store.delete, aio=None)
    sys.modules["kv"] = kv
    import driver

    driver.OWN = store.name
    print(json.dumps([run(driver, store, case) for case in asked["cases"]]))


def run(driver, store, case):
    try:
        driver.run(store, case).send(None)
    except StopIteration as end:
        return end.value["results"]
    raise RuntimeError("the client waited for an event loop")


main()
