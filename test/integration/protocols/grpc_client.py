"""tinyFaaS's gRPC service as Python clients call it: one JSON line in, one out, per call."""

import json
import sys

import grpc

TARGET = sys.argv[1]
METHOD = "/openfogstack.tinyfaas.tinyfaas.TinyFaaS/Request"
LARGE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value % 0x80 | 0x80)
        value //= 0x80
    out.append(value)
    return bytes(out)


def field(number, text):
    data = text.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data if data else b""


def read_response(message):
    """The text of the one field of a Response."""
    if not message:
        return ""
    assert message[0] == 0x0A
    length, at, shift = 0, 1, 0
    while True:
        length |= (message[at] & 0x7F) << shift
        shift += 7
        at += 1
        if message[at - 1] < 0x80:
            break
    assert len(message) == at + length
    return message[at:].decode()


def call(request, channel):
    if "raw" in request:
        message = bytes.fromhex(request["raw"])
    else:
        data = request.get("data", "") * request.get("times", 1)
        message = field(1, request["name"]) + field(2, data)
    method = request.get("method", METHOD)
    unary = channel.unary_unary(method, lambda given: given, read_response)
    metadata = [tuple(pair) for pair in request.get("metadata", [])]
    compression = grpc.Compression.Gzip if request.get("gzip") else None
    future = unary.future(
        message, timeout=request.get("timeout"), metadata=metadata, compression=compression
    )
    if request.get("cancel"):
        future.cancel()
    try:
        response = future.result()
    except (grpc.RpcError, grpc.FutureCancelledError):
        response = None
    return {
        "code": future.code().name,
        "details": future.details(),
        "response": response,
        "initial": dict(future.initial_metadata() or []),
        "trailing": dict(future.trailing_metadata() or []),
    }


with grpc.insecure_channel(TARGET, options=LARGE) as channel:
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(call(json.loads(line), channel)), flush=True)
