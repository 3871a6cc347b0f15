"""Calls of an `async def`: many at once on one asyncio loop."""

import asyncio
import sys
from _thread import get_ident
from socket import MSG_DONTWAIT

from enoki_kv.direct_reads import reads

from .channel import CALL
from .function import failed
from .protocol import CANCEL, CONCURRENCY_ASYNC, INVOKE, PING, PONG, READY, STOP, frame


def serve(channel, function, logs):
    """Runs calls until STOP and the end of the last one."""
    serving = _Server(channel, function, logs).run()
    if sys.version_info < (3, 10):
        # why: locks and events that the function made while it was imported belong to this loop.
        asyncio.get_event_loop().run_until_complete(serving)
    else:
        asyncio.run(serving)


class _Server:
    def __init__(self, channel, function, logs):
        self._channel = channel
        self._function = function
        self._logs = logs
        self._tasks = {}  # call id → task
        self._readers = set()  # ids of calls that have read the store's file
        self._is_scheduled = False
        self._is_stopping = False
        self._stopped = None

    async def run(self):
        channel = self._channel
        self._loop = channel.loop = asyncio.get_running_loop()
        channel.loop_thread = get_ident()
        reads.note = lambda: self._readers.add(CALL.get())
        self._stopped = self._loop.create_future()
        self._loop.add_reader(channel.fileno(), self._readable)
        channel.on_inbox = self._schedule
        channel.post(frame(READY, 0, b'{"concurrency":%d}' % CONCURRENCY_ASYNC))
        if channel.inbox:
            self._schedule()
        await self._stopped

    def _readable(self):
        self._is_scheduled = True  # what comes in now is drained below
        self._channel.try_read(MSG_DONTWAIT)
        self._drain()

    def _schedule(self):
        """A frame came in while somebody waited for a reply, maybe on another thread."""
        if self._is_scheduled:
            return
        self._is_scheduled = True
        if get_ident() == self._channel.loop_thread:
            self._loop.call_soon(self._drain)
        else:
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self):
        self._is_scheduled = False
        inbox = self._channel.inbox
        while inbox:
            kind, id, payload = inbox.popleft()
            if kind == INVOKE:
                self._tasks[id] = self._loop.create_task(self._call(id, payload))
            elif kind == CANCEL:
                task = self._tasks.get(id)
                if task is not None:
                    task.add_done_callback(lambda _, id=id: self._answer_cancelled(id))
                    task.cancel()
            elif kind == PING:
                self._channel.post(frame(PONG, id))
            elif kind == STOP:
                self._is_stopping = True
                self._stop_when_idle()

    async def _call(self, id, payload):
        CALL.set(id)
        answer = await self._function.run_async(id, payload, self._readers)
        self._answer(id, answer)

    def _answer_cancelled(self, id):
        # A task that is cancelled before its first step never gets to answer.
        if id in self._tasks:
            self._answer(id, failed(id, asyncio.CancelledError()))

    def _answer(self, id, answer):
        self._logs.end_call(id)
        self._channel.post(answer)
        del self._tasks[id]
        if self._is_stopping:
            self._stop_when_idle()

    def _stop_when_idle(self):
        if not self._tasks and not self._stopped.done():
            # One turn later, so that the last answer is written.
            self._loop.call_soon(self._stopped.set_result, None)
