"""Gives calls back to the node that wait behind one that takes long.

A plain function runs one call at a time, but is given some ahead, so that many share a system call. A call may turn out
to be slow, though, and while it runs nobody reads the channel. So a thread looks every few milliseconds: a waiting
call whose predecessor still runs at the second look goes back, unbegun, and runs elsewhere.

The thread exists only in an instance that has been given calls ahead, and sleeps while there are none to run.
"""

from _thread import allocate_lock, start_new_thread
from collections import deque
from socket import MSG_DONTWAIT
from time import sleep

from .protocol import INVOKE, RETURNED, frame

_LOOK_S = 0.01
_LOOKS_UNTIL_SLEEP = 100


class Guard:
    """Watches how long calls run; `begin` is told of each."""

    def __init__(self, channel):
        self._channel = channel
        self._gate = allocate_lock()
        self._gate.acquire()
        # Holds one item while the thread sleeps: whoever pops it has to open the gate.
        self.asleep = deque()
        self.exists = False

    def start(self):
        """Makes the thread."""
        self.exists = True
        start_new_thread(self._run, ())

    def wake(self):
        """Lets the thread look again; to be called when a call begins while it is `asleep`."""
        try:
            self.asleep.pop()
        except IndexError:  # it woke by itself
            return
        self._gate.release()

    def _run(self):
        channel = self._channel
        seen = quiet = 0
        while True:
            sleep(_LOOK_S)
            running = channel.current
            if not running:
                quiet += 1
                if quiet >= _LOOKS_UNTIL_SLEEP:
                    self._sleep()
                    quiet = 0
            else:
                quiet = 0
                channel.flush_kept()
                if running == seen:
                    self._give_back()
            seen = running

    def _sleep(self):
        self.asleep.append(True)
        if self._channel.current:
            # A call has begun meanwhile, and may not have seen that this thread sleeps.
            try:
                self.asleep.pop()
                return
            except IndexError:
                pass
        self._gate.acquire()

    def _give_back(self):
        channel = self._channel
        channel.try_read(MSG_DONTWAIT)
        for waiting in list(channel.inbox):
            if waiting[0] != INVOKE:
                continue
            try:
                channel.inbox.remove(waiting)
            except ValueError:  # the main thread has just begun it
                continue
            channel.send(frame(RETURNED, waiting[1]))
