"""What takes more than one operation, and CRDTs.

Here and below, `ask` sends a request: that of `kv` returns the answer, that of `kv.aio` a coroutine.
"""

from .batches import Batch, once_key
from .errors import Error
from .requests import entry, json_request, nothing_of, set, value_of
from .values import key_bytes, number

_CONFLICT = "ENOKI_VERSION_CONFLICT"


class Delete:
    """The type of `kv.DELETE`."""

    def __repr__(self):
        return "kv.DELETE"


DELETE = Delete()


class Update:
    """One `update`: first ask `read`, then `write(entry, result of fn)`; on a conflict begin again."""

    def __init__(self, key, once):
        self.read = entry(key)
        self._key = key
        self._once = None if once is None else once_key(once)
        self._tries = 0

    def write(self, found, value):
        """The request that stores `value` if nothing has changed since `found`; None if there is nothing to do."""
        if value is None:
            return None
        version = found.version if found else None
        if self._once is None:
            if value is not DELETE:
                return set(self._key, value, if_version=version, if_absent=version is None)
            if not found:
                return None
        batch = Batch(None).check(self._key, version)
        if value is DELETE:
            batch.delete(self._key)
        else:
            batch.set(self._key, value)
        if self._once is not None:
            batch.once(self._once)
        return batch.request()

    def pause_s(self, error):
        """Seconds to wait before trying again after `error`; raises it unless it is a conflict."""
        if error.code != _CONFLICT:
            raise error
        self._tries += 1
        if self._tries < 4:
            return 0.0
        from random import random

        # why: many instances that lost together must not come back together.
        return random() * min(0.05, 0.0002 * 2 ** min(self._tries, 12))


def increment(key, n):
    key_bytes(key)
    return json_request({"op": "increment", "key": key, "n": number(n)}, value_of)


class Counter:
    """A number that concurrent additions add up in."""

    def __init__(self, key, ask):
        key_bytes(key)
        self._key = key
        self._ask = ask

    def add(self, n=1):
        return self._ask(json_request({"op": "counter.add", "key": self._key, "n": number(n)}, value_of))

    def value(self):
        return self._ask(json_request({"op": "counter.value", "key": self._key}, value_of))


class SetOf:
    """A set of JSON values."""

    def __init__(self, key, ask):
        key_bytes(key)
        self._key = key
        self._ask = ask

    def add(self, x):
        return self._change("set.add", x)

    def remove(self, x):
        return self._change("set.remove", x)

    def _change(self, op, member):
        return self._ask(json_request({"op": op, "key": self._key, "member": member}, nothing_of))

    def value(self):
        return self._ask(json_request({"op": "set.value", "key": self._key}, value_of))


class Map:
    """Fields with JSON values or counters."""

    def __init__(self, key, ask):
        key_bytes(key)
        self._key = key
        self._ask = ask

    def set(self, f, v):
        return self._change({"op": "map.set", "field": _field(f), "value": v}, nothing_of)

    def add(self, f, n=1):
        return self._change({"op": "map.add", "field": _field(f), "n": number(n)}, value_of)

    def remove(self, f):
        return self._change({"op": "map.remove", "field": _field(f)}, nothing_of)

    def _change(self, request, decode):
        request["key"] = self._key
        return self._ask(json_request(request, decode))

    def value(self):
        return self._ask(json_request({"op": "map.value", "key": self._key}, value_of))


def _field(field):
    if not isinstance(field, str):
        raise Error("ENOKI_VALUE_UNSUPPORTED", f"the fields of a map are str, not {type(field).__name__}")
    return field
