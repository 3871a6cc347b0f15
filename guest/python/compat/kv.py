"""`kv` as the research prototype gave it to its functions (runtime `python3-kv`): text only, and a missing key raises."""

from json import dumps as _dumps

from enoki_kv import requests as _requests
from enoki_kv.connection import ask as _ask
from enoki_kv.errors import Error

__all__ = ["Error", "delete", "read", "scan", "update"]


def read(key):
    """All concurrent values of `key`; raises if there is none."""
    values = _ask(_requests.siblings(key))
    if not values:
        raise Error("ENOKI_KEY_NOT_FOUND", f"the key {key} does not exist")
    return [_text(value) for value in values]


def scan(key, count):
    """The values of up to `count` keys from `key` on, in the order of the keys."""
    pages = _requests.Scan(key, None, None, int(count), False, False)
    values = []
    while not pages.done:
        values += [_text(value) for _, value in _ask(pages.request())]
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
