"""Numbers and layouts of the function channel, protocol 1 (`docs/internals/function-channel.md`)."""

from struct import Struct

PROTOCOL = 1
FRAME_BYTES_MAX = 20 * 1024 * 1024
CONCURRENCY_ASYNC = 64
# Calls that a plain function takes in before it has answered the one that runs.
AHEAD = 15

# From the node.
LOAD = 0x01
INVOKE = 0x02
CANCEL = 0x03
REPLY = 0x04
STOP = 0x05
PING = 0x06
EVENT = 0x07

# To the node.
READY = 0x81
LOAD_FAILED = 0x82
RESULT = 0x83
FAILED = 0x84
OPERATION = 0x85
LOG = 0x86
PONG = 0x87
RETURNED = 0x88
PACE = 0x89

# The one operation that the channel itself uses; `enoki_kv.requests` has the others.
JSON_REQUEST = 8

STDOUT = 1
STDERR = 2

# Length of what follows, type, id.
HEADER = Struct("<IBI")
HEADER_SIZE = HEADER.size
# What the length counts besides the payload: type and id.
COUNTED = 5

# timeoutMs, flags, invocation id, lengths of method, path, query, content type, idempotency key, headers.
INVOCATION = Struct("<IB16sHHHHHI")
INVOCATION_SIZE = INVOCATION.size
# Where the flags are, and the one that says that calls may come before this one is answered.
FLAGS_AT = 4
GUARD = 2
# The flag of a call that asks the node for everything that it reads.
ASKS_NODE = 4

# Beside the status of a RESULT: the call has read from the store's file.
HAS_READ = 0x8000

# A frame header, then status, length of the content type, length of the headers.
RESULT_HEAD = Struct("<IBIHHI")
RESULT_COUNTED = RESULT_HEAD.size - 4

# A frame header, then call id and operation.
OPERATION_HEAD = Struct("<IBIIB")
OPERATION_COUNTED = OPERATION_HEAD.size - 4

# A frame header, then the stream.
LOG_HEAD = Struct("<IBIB")
LOG_COUNTED = LOG_HEAD.size - 4


def frame(kind, id, payload=b""):
    """One whole frame as bytes."""
    return HEADER.pack(COUNTED + len(payload), kind, id) + payload
