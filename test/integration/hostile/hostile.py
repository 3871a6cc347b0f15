import json, os, struct

FD = 3


def frame(kind, ident, payload=b""):
    return struct.pack("<IBI", 5 + len(payload), kind, ident) + payload


def op(call, kind, payload):
    return struct.pack("<IB", call, kind) + payload


def json_op(ident, request):
    return frame(0x85, ident, op(0, 8, json.dumps(request).encode()))


def key(text):
    return struct.pack("<H", len(text)) + text.encode()


GET = op(0, 1, key("big"))
ATTACKS = {
    "failure": lambda: b"".join(frame(0x84, (1 << 18) + i, b'{"message":{"toString":1},"traceback":{}}') for i in range(3)),
    "reads": lambda: b"".join(frame(0x85, 1000 + i, GET) for i in range(3000)),
    "watches": lambda: b"".join(json_op(7, {"op": "watch"}) for _ in range(3000)),
    "newlines": lambda: frame(0x86, 0, b"\x01" + b"\n" * (19 << 20)),
    "ready": lambda: frame(0x81, 0, b'{"concurrency":1e300}'),
    "garbage": lambda: os.urandom(100_000),
    "length": lambda: struct.pack("<IBI", 0xFFFFFFFF, 0x85, 1),
    "type": lambda: frame(0x42, 1),
    "call": lambda: frame(0x85, 9, op(12345, 1, key("big"))),
    "keygroup": lambda: json_op(5, {"op": "batch", "keygroup": "good", "writes": [{"op": "delete", "key": "k"}]}),
    "json": lambda: frame(0x85, 3, op(0, 3, b"\0" + key("j") + b"\x03{{{")),
}


def call(i):
    import time

    data = ATTACKS[i]()
    while data:
        data = data[os.write(FD, data[: 1 << 16]):]
    time.sleep(1)
    return "survived"
