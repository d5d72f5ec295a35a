"""Protobuf messages of Layotto's API, written by hand: six fields do not need a compiler.

Numbers are those of spec/proto/runtime/v1/runtime.proto.
"""

RUNTIME = "/spec.proto.runtime.v1.Runtime"
POST = 3


def varint(number):
    """Seven bits a byte, least significant first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number, value):
    """One field: a string, bytes, an encoded message, or an enum's number."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def frame(message):
    """A gRPC frame: not compressed, with its length."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def invoke_service(app, method, body):
    """InvokeServiceRequest: id = 1, message = 3 {method 1, data 2 {value 2}, type 3, verb 4.1}."""
    message = (field(1, method) + field(2, field(2, body)) + field(3, "text/plain")
               + field(4, field(1, POST)))
    return frame(field(1, app) + field(3, message))


def get_state(store, key):
    """GetStateRequest: store_name = 1, key = 2."""
    return frame(field(1, store) + field(2, key))


def save_state(store, key, value):
    """SaveStateRequest: store_name = 1, states = 2 {key 1, value 2}."""
    return frame(field(1, store) + field(2, field(1, key) + field(2, value)))
