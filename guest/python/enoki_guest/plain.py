"""Calls of a plain `def`: one after another on the main thread."""

from .failure import describe
from .guard import Guard
from .pace import Pace
from .protocol import AHEAD, FAILED, FLAGS_AT, GUARD, INVOKE, PING, PONG, READY, STOP, frame


def serve(channel, function, logs):
    """Runs calls until STOP."""
    channel.on_cancel = _drop_cancelled(channel)
    channel.send(frame(READY, 0, b'{"concurrency":1,"ahead":%d}' % AHEAD))
    guard = Guard(channel)
    pace = None
    inbox = channel.inbox
    while True:
        kind, id, payload = channel.next_frame()
        if kind == INVOKE:
            channel.current = id
            if guard.asleep:
                guard.wake()
            elif payload[FLAGS_AT] & GUARD and not guard.exists:
                guard.start()
                pace = Pace(channel)
            answer = pace.run(function, id, payload) if pace else function.run(id, payload)
            channel.current = 0
            logs.end_call(id)
            if inbox and guard.exists:
                channel.keep(answer)
            else:
                channel.send(answer)
        elif kind == PING:
            channel.send(frame(PONG, id))
        elif kind == STOP:
            channel.flush_kept()
            return


class Cancelled(Exception):
    """The caller was gone before the call began."""


def _drop_cancelled(channel):
    """A running plain call cannot be interrupted, but one that still waits need not begin."""
    inbox = channel.inbox

    def drop(id):
        for waiting in list(inbox):
            if waiting[0] == INVOKE and waiting[1] == id:
                try:
                    inbox.remove(waiting)
                except ValueError:  # the main thread has just begun it
                    return
                channel.send(frame(FAILED, id, describe(Cancelled("the caller is gone"), "ENOKI_FUNCTION_ERROR")))

    return drop
