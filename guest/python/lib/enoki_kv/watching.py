"""Events of a watch, for plain code: an iterator that waits."""

from collections import deque

from .connection import channel
from .errors import Error, raise_reply
from .requests import JSON_REQUEST
from .values import bound_bytes, decode_json, encode_json, from_typed


class Event:
    """A change of one key; `value` is None and `deleted` True after a deletion."""

    __slots__ = ("deleted", "key", "value", "version")

    def __init__(self, payload):
        fields = decode_json(payload)
        if "error" in fields:
            raise Error(fields["error"]["code"], fields["error"]["message"])
        self.key = fields["key"]
        self.version = fields["version"]
        self.deleted = fields["value"] is None
        self.value = None if self.deleted else from_typed(fields["value"])

    def __repr__(self):
        return f"Event(key={self.key!r}, value={self.value!r}, version={self.version!r})"


def watch_request(start, prefix):
    """The payload that begins a watch."""
    if start is not None and prefix is not None:
        raise Error("ENOKI_INVALID_INPUT", "prefix excludes start")
    name, bound = ("prefix", prefix) if prefix is not None else ("start", "" if start is None else start)
    bound_bytes(bound)
    return encode_json({"op": "watch", name: bound})


def _plainly(operation, payload):
    """An operation on the function's own keygroup is what it is; `elsewhere.wrap` makes those on another one."""
    return operation, payload


class Watch:
    """Iterates over the changes from now on; ends with `close()` or a `with` block."""

    def __init__(self, start, prefix, within=_plainly):
        operation, payload = within(JSON_REQUEST, watch_request(start, prefix))
        self._events = deque()
        self._channel = channel()
        self._id = self._channel.next_id()
        # why: the append of the deque, not a method, so that a forgotten watch can be collected.
        self._channel.watches[self._id] = self._events.append
        reply = self._channel.operate(operation, payload, self._id)
        if reply[0]:
            self._forget()
            raise_reply(reply)

    def __iter__(self):
        return self

    def __next__(self):
        events = self._events
        if not events:
            if self._id is None:
                raise StopIteration
            self._channel.wait(self._id, lambda: events or self._id is None)
            if not events:
                raise StopIteration
        return Event(events.popleft())

    def close(self):
        if self._id is not None:
            watch = self._id
            self._forget()
            self._channel.operate(JSON_REQUEST, encode_json({"op": "unwatch", "watch": watch}))

    def _forget(self):
        self._channel.watches.pop(self._id, None)
        self._id = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        # The channel tells the node when the next event finds nobody.
        if self.__dict__.get("_id") is not None:
            self._forget()
