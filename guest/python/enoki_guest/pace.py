"""Finds out whether the calls of a plain function wait for anything while they run.

Those that never give the processor away gain nothing from a further process once each processor has one: the node then
fills the line of a busy instance instead, whose memory is warm. The kernel counts how often a thread has waited.
"""

from .protocol import PACE, frame

# One call in so many is looked at: a look costs two system calls.
_EVERY = 16
# Looks without a wait until calls count as steady. A wait takes back half: one may be the interpreter's own.
_STEADY = 8


class Pace:
    """Looks at calls now and then, and tells the node when it has found out something new."""

    def __init__(self, channel, waits=None):
        """`waits` counts how often the calling thread has waited so far; for tests."""
        self._channel = channel
        self._waits = waits or _waits_of_thread()
        self._until_look = _EVERY
        self._score = 0
        self._is_steady = False

    def run(self, function, id, payload):
        """Runs a call and returns its answer."""
        self._until_look -= 1
        if self._until_look or self._waits is None:
            return function.run(id, payload)
        self._until_look = _EVERY
        before = self._waits()
        answer = function.run(id, payload)
        self._note(self._waits() != before)
        return answer

    def _note(self, has_waited):
        self._score = max(0, self._score - _STEADY // 2) if has_waited else min(_STEADY, self._score + 1)
        if self._score == (0 if self._is_steady else _STEADY):
            self._is_steady = not self._is_steady
            self._channel.keep(frame(PACE, 0, b"\1" if self._is_steady else b"\0"))


def _waits_of_thread():
    try:
        from resource import RUSAGE_THREAD, getrusage
    except ImportError:  # not Linux
        return None
    return lambda: getrusage(RUSAGE_THREAD).ru_nvcsw
