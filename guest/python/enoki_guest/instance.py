"""The life of an instance: wait for LOAD, load, serve until STOP, exit."""

import os
import sys
from json import loads

from enoki_kv.direct_reads import reads

from . import channel as channels
from .failure import describe
from .function import Function
from .loader import load_handler
from .logs import Logs
from .protocol import LOAD, LOAD_FAILED, PING, PONG, PROTOCOL, STOP, frame


def live(sock, root):
    """Serves the node at the other end of `sock`; never returns."""
    channel = channels.Channel(sock)
    channels.activate(channel)
    load = _await_load(channel)
    logs = Logs(channel)
    logs.install()
    os.register_at_fork(after_in_child=lambda: _abandon(channel))
    channel.keygroup = load["keygroup"]
    reads.use(load.get("store"))
    try:
        function = Function(load_handler(load, root), load)
    except BaseException as error:
        logs.end_call(0)
        channel.send(frame(LOAD_FAILED, 0, describe(error, "ENOKI_LOAD_FAILED")))
        os._exit(1)
    if function.is_async:
        from .asynchronous import serve
    else:
        from .plain import serve
    serve(channel, function, logs)
    _leave(logs)


def _abandon(channel):
    """In a child that the function forked: the channel stays the parent's, and the store with it."""
    channel.abandon()
    reads.use(None)


def _await_load(channel):
    while True:
        kind, id, payload = channel.next_frame()
        if kind == LOAD:
            load = loads(bytes(payload))
            if load["protocol"] != PROTOCOL:
                raise RuntimeError(f"the node speaks protocol {load['protocol']}, this guest {PROTOCOL}")
            return load
        if kind == PING:
            channel.send(frame(PONG, id))
        elif kind == STOP:
            os._exit(0)


def _leave(logs):
    # why: not sys.exit, which would wait for threads that the function left behind.
    import atexit

    try:
        atexit._run_exitfuncs()
    except BaseException as error:
        print(f"an exit handler failed: {error}", file=sys.stderr)
    logs.end_call(0)
    os._exit(0)
