"""Operations for asyncio.

On the loop that serves the function's calls, the channel's own reader settles futures. On any other loop (a plain
function that calls `asyncio.run`) nobody reads the channel, so a thread of the loop's pool waits instead.
"""

from _thread import get_ident
from asyncio import Event as AsyncEvent
from asyncio import get_running_loop
from collections import deque
from contextvars import copy_context

from .connection import channel as current_channel
from .errors import raise_reply
from .requests import JSON_REQUEST
from .values import encode_json
from .watching import Event


async def operate_in_loop(operation, payload, id=None):
    """Sends one operation and returns its whole reply."""
    channel = current_channel()
    loop = get_running_loop()
    if loop is not channel.loop:
        return await loop.run_in_executor(None, copy_context().run, channel.operate, operation, payload, id)
    future = loop.create_future()
    channel.operate_later(operation, payload, _on_loop(channel, lambda reply: _settle(future, reply)), id)
    return await future


def _on_loop(channel, take):
    """A function that runs `take` on the channel's loop, whichever thread it is called on."""

    def hand_over(payload):
        if get_ident() == channel.loop_thread:
            take(payload)
        else:
            channel.loop.call_soon_threadsafe(take, payload)

    return hand_over


def _settle(future, reply):
    if not future.done():
        future.set_result(reply)


async def watch_in_loop(payload, within=None):
    """Events from now on; ends the watch when the iteration ends."""
    channel = current_channel()
    is_served = get_running_loop() is channel.loop
    events = deque()
    arrived = AsyncEvent()
    id = channel.next_id()

    def take(event):
        events.append(event)
        arrived.set()

    channel.watches[id] = _on_loop(channel, take) if is_served else events.append
    try:
        operation, payload = within(JSON_REQUEST, payload) if within else (JSON_REQUEST, payload)
        reply = await operate_in_loop(operation, payload, id)
        if reply[0]:
            raise_reply(reply)
        while True:
            if is_served:
                await arrived.wait()
                arrived.clear()
            else:
                await get_running_loop().run_in_executor(None, channel.wait, id, events.__len__)
            while events:
                yield Event(events.popleft())
    finally:
        # The channel tells the node at the next event if this task may no longer wait.
        channel.watches.pop(id, None)
        await operate_in_loop(JSON_REQUEST, encode_json({"op": "unwatch", "watch": id}))
