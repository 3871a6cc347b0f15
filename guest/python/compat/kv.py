"""`kv` as the research prototype gave it to its functions (runtime `python3-kv`): text only, and a missing key raises."""

from json import dumps as _dumps

from enoki_kv import requests as _requests
from enoki_kv.connection import ask as _ask
from enoki_kv.direct_reads import ASK_NODE as _ASK_NODE
from enoki_kv.direct_reads import reads as _reads
from enoki_kv.errors import Error
from enoki_kv.values import key_bytes as _key_bytes

__all__ = ["Error", "delete", "read", "scan", "update"]

_MISSING = object()


def read(key):
    """All concurrent values of `key`; raises if there is none."""
    value = _reads.get(_key_bytes(key), _MISSING)
    values = _ask(_requests.siblings(key)) if value is _ASK_NODE else [value]
    if not values or value is _MISSING:
        raise Error("ENOKI_KEY_NOT_FOUND", f"the key {key} does not exist")
    return [_text(value) for value in values]


def scan(key, count):
    """The values of up to `count` keys from `key` on, in the order of the keys."""
    pages = _requests.Scan(key, None, None, int(count), False, False)
    values = []
    while not pages.done:
        found = _reads.page(pages)
        values += [_text(value) for _, value in (_ask(pages.request()) if found is _ASK_NODE else found)]
    return values


def update(key, value):
    """Stores `value`, whatever is there."""
    if not isinstance(value, str):
        raise TypeError(f"value must be a str, not {type(value).__name__}")
    _ask(_requests.set(key, value))


def delete(key):
    """Deletes `key`."""
    _ask(_requests.delete(key))


def _text(value):
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return _dumps(value, ensure_ascii=False)
