"""The way from an operation to the node: the channel of the instance that this process is."""

import sys

from .errors import Error, raise_reply

_channel = None


def channel():
    """The channel of this process; raises ENOKI_UNSUPPORTED outside an instance."""
    global _channel
    if _channel is None:
        module = sys.modules.get("enoki_guest.channel")
        _channel = module and module.active
        if _channel is None:
            raise Error("ENOKI_UNSUPPORTED", "this works only inside a function that an Enoki node runs")
    return _channel


def operate(operation, payload):
    """Sends one operation, waits for its reply and returns it whole; raises Error if it was refused."""
    reply = (_channel or channel()).operate(operation, payload)
    if reply[0]:
        raise_reply(reply)
    return reply


def ask(request):
    """Sends a request of `requests` and returns what its reply decodes to."""
    operation, payload, decode = request
    return decode(operate(operation, payload))
