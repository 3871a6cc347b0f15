"""The instance's end of the channel: frames out, frames in, and replies to whoever waits for them.

Any thread may wait. One of them at a time holds the read lock and reads for all: it keeps what is its own,
hands replies to their waiters and puts everything else into the inbox. When it has what it wanted, it wakes
another waiter to read on. There is no reader thread, so a single-threaded function pays for none.
"""

import os
from _thread import allocate_lock, get_ident
from collections import deque
from contextvars import ContextVar
from itertools import count
from socket import MSG_DONTWAIT

from .protocol import (
    CANCEL,
    COUNTED,
    EVENT,
    FRAME_BYTES_MAX,
    HEADER,
    HEADER_SIZE,
    JSON_REQUEST,
    OPERATION,
    OPERATION_COUNTED,
    OPERATION_HEAD,
    REPLY,
)

# The call that runs in this asyncio task. Plain functions do not need it: they run one call at a time.
CALL = ContextVar("enoki_call", default=0)

_READ_BYTES = 64 * 1024
_MAIN = 0  # operation ids begin at 1
_POLL_MS = 50  # after so long, look again whether somebody has to read

# The channel of this process, for the libraries that functions import. None outside an instance.
active = None


def activate(channel):
    """Makes `channel` the one that `kv` uses in this process."""
    global active
    active = channel


class Channel:
    """A framed, thread-safe connection to the node over a blocking Unix stream socket."""

    def __init__(self, sock):
        self._sock = sock
        self._owner = os.getpid()
        self._held = b""  # the beginning of a small frame
        self._large = None  # a large frame in the making: [view of its buffer, bytes filled]
        self._read_lock = allocate_lock()
        self._write_lock = allocate_lock()
        self._gates = {}  # waiter → lock that it sleeps on
        self._replies = {}  # operation id → None, then the reply
        self._callbacks = {}  # operation id → function that takes the reply
        self._outgoing = []
        self._writing_thread = 0
        self.next_id = count(1).__next__
        self.inbox = deque()  # (type, id, payload) of frames that are no replies
        self.watches = {}  # watch id → function that takes the event's payload
        self.current = 0  # the call that a plain function is running
        self.keygroup = ""
        self.on_inbox = None  # called after each frame put into the inbox
        self.on_cancel = None  # takes the id of a CANCEL instead of the inbox
        self.loop = None  # the event loop that serves the calls of an async function
        self.loop_thread = 0
        self.abandoned = False

    def fileno(self):
        return self._sock.fileno()

    def call_id(self):
        """The call on whose behalf the caller runs; 0 outside any."""
        return CALL.get() or self.current

    # Writing

    def send(self, data):
        """Writes `data`, whole frames, at once, after everything that was posted before."""
        if self._writing_thread == get_ident():
            # What this thread has read while it writes wants an answer: it follows.
            self._outgoing.append(data)
            return
        with self._write_lock:
            self._writing_thread = get_ident()
            try:
                while True:
                    if self._outgoing:
                        self._outgoing.append(data)
                        data = b"".join(self._outgoing)
                        self._outgoing.clear()
                    has_read = self._write(data)
                    if not has_read or not self._outgoing:
                        return
                    data = b""
            except OSError:
                self._lost()
            finally:
                self._writing_thread = 0

    def _write(self, data):
        """Writes all of it, and reads while it has to wait; says whether it had to."""
        sent = self._send_some(data)
        if sent == len(data):
            return False
        from select import POLLIN, POLLOUT, poll

        view = memoryview(data)
        waiting = poll()
        while sent < len(view):
            # why: the node takes nothing more while too many of its replies are unread, so whoever only
            # writes would wait for ever. Unless another thread reads, this one does.
            is_free = not self._read_lock.locked()
            waiting.register(self._sock, POLLIN | POLLOUT if is_free else POLLOUT)
            for _, event in waiting.poll(_POLL_MS):
                if event & POLLIN:
                    self.try_read(MSG_DONTWAIT)
            sent += self._send_some(view[sent:])
        return True

    def _send_some(self, data):
        try:
            return self._sock.send(data, MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def keep(self, data):
        """Holds `data` back until the next `send` or `flush_kept`."""
        with self._write_lock:
            self._outgoing.append(data)

    def flush_kept(self):
        """Writes what was kept back, if anything was."""
        if self._outgoing:
            self.send(b"")

    def post(self, data):
        """Gathers `data` to be written at the end of this turn. Only on the thread of `loop`."""
        if not self._outgoing:
            self.loop.call_soon(self.flush_kept)
        self._outgoing.append(data)

    def abandon(self):
        """Called in a child that the function forked: the channel stays the parent's."""
        self.abandoned = True
        self._sock.close()

    def _lost(self):
        if self.abandoned or os.getpid() != self._owner:
            raise RuntimeError("a forked child of a function has no channel to the node")
        # The node is gone, or has dropped this instance: nobody is left to work for.
        os._exit(0)

    # Waiting

    def operate(self, operation, payload, id=None):
        """Sends one operation and returns the payload of its reply, beginning with the status."""
        if id is None:
            id = self.next_id()
        self._replies[id] = None
        self.send(self._operation(id, operation, payload))
        replies = self._replies
        self.wait(id, lambda: replies[id] is not None)
        return replies.pop(id)

    def operate_later(self, operation, payload, callback, id=None):
        """Posts one operation; `callback` takes the reply's payload, on whichever thread reads it."""
        if id is None:
            id = self.next_id()
        self._callbacks[id] = callback
        self.post(self._operation(id, operation, payload))

    def _operation(self, id, operation, payload):
        return OPERATION_HEAD.pack(OPERATION_COUNTED + len(payload), OPERATION, id, self.call_id(), operation) + payload

    def next_frame(self):
        """The next frame that is no reply, as (type, id, payload)."""
        inbox = self.inbox
        if not inbox:
            self.wait(_MAIN, inbox.__len__)
        return inbox.popleft()

    def wait(self, waiter, is_done):
        """Returns once `is_done()`; `waiter` is the id of the operation or watch that is waited for."""
        lock = self._read_lock
        while True:
            if lock.acquire(False):
                try:
                    while not is_done():
                        self._read(0)
                finally:
                    lock.release()
                    if self._gates:
                        self._hand_over()
                return
            gate = allocate_lock()
            gate.acquire()
            self._gates[waiter] = gate
            # why: whoever reads may have finished before it could see this gate.
            if not is_done() and lock.locked():
                gate.acquire()
            self._gates.pop(waiter, None)
            if is_done():
                return

    def _hand_over(self):
        try:
            gate = self._gates.popitem()[1]
        except KeyError:
            return
        gate.release()

    def _wake(self, waiter):
        gate = self._gates.pop(waiter, None)
        if gate is not None:
            gate.release()

    # Reading, by the holder of the read lock only

    def try_read(self, flags):
        """Reads what is there unless another thread is reading."""
        lock = self._read_lock
        if not lock.acquire(False):
            return
        try:
            self._read(flags)
        except BlockingIOError:
            pass
        finally:
            lock.release()
            if self._gates:
                self._hand_over()

    def _read(self, flags):
        if self._large is not None:
            self._read_large(flags)
            return
        try:
            chunk = self._sock.recv(_READ_BYTES, flags)
        except BlockingIOError:
            raise
        except OSError:
            chunk = b""
        if not chunk:
            self._lost()
        if self._held:
            chunk = self._held + chunk
            self._held = b""
        start = 0
        end = len(chunk)
        while end - start >= HEADER_SIZE:
            length, kind, id = HEADER.unpack_from(chunk, start)
            stop = start + 4 + length
            if stop > end:
                if length > FRAME_BYTES_MAX:
                    raise RuntimeError("the node sent a frame that is too large")
                if length > _READ_BYTES:
                    large = bytearray(4 + length)
                    large[: end - start] = memoryview(chunk)[start:]
                    self._large = [memoryview(large), end - start]
                    return
                break
            self._dispatch(kind, id, chunk[start + HEADER_SIZE : stop])
            start = stop
        if start < end:
            self._held = chunk[start:]

    def _read_large(self, flags):
        view, filled = self._large
        size = self._sock.recv_into(view[filled:], 0, flags)
        if not size:
            self._lost()
        filled += size
        self._large[1] = filled
        if filled == len(view):
            self._large = None
            _, kind, id = HEADER.unpack_from(view)
            self._dispatch(kind, id, view[HEADER_SIZE:])

    def _dispatch(self, kind, id, payload):
        if kind == REPLY:
            if id in self._replies:
                self._replies[id] = payload
                if self._gates:
                    self._wake(id)
            else:
                callback = self._callbacks.pop(id, None)
                if callback is not None:
                    callback(payload)
        elif kind == EVENT:
            take = self.watches.get(id)
            if take is None:
                # Its owner forgot it. The reply to this has no waiter.
                self.send(self._operation(self.next_id(), JSON_REQUEST, b'{"op":"unwatch","watch":%d}' % id))
                return
            take(payload)
            if self._gates:
                self._wake(id)
        elif kind == CANCEL and self.on_cancel is not None:
            self.on_cancel(id)
        else:
            self.inbox.append((kind, id, payload))
            if self._gates:
                self._wake(_MAIN)
            if self.on_inbox is not None:
                self.on_inbox()
