"""What a runtime says by NRI, and how it reads an answer: as bytes, by the fields' numbers."""

import asyncio
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from node.nri.frames import PLUGIN, REQUEST, RESPONSE, Message, sent
from proa.protobuf import Field, kinds

TEXT, BYTES, INT64 = (getattr(FieldDescriptorProto, f"TYPE_{name}") for name in ("STRING", "BYTES", "INT64"))
UINT32, MESSAGE = FieldDescriptorProto.TYPE_UINT32, FieldDescriptorProto.TYPE_MESSAGE
SERVICE = "nri.pkg.api.v1alpha1.Plugin"
ENVELOPE = kinds(
    "ttrpc", {"Request": (Field(1, "service", TEXT), Field(2, "method", TEXT), Field(3, "payload", BYTES))}
)
RUNTIMES = kinds(
    "r",
    {
        "Configure": (Field(2, "name", TEXT), Field(3, "version", TEXT), Field(5, "timeout", INT64)),
        "Pod": (Field(2, "name", TEXT), Field(3, "uid", TEXT), Field(4, "namespace", TEXT), Field(9, "pid", UINT32)),
        "Sandbox": (Field(1, "pod", MESSAGE, of=".r.Pod"),),
        "Change": (Field(1, "event", UINT32), Field(2, "pod", MESSAGE, of=".r.Pod")),
        "Synchronize": (Field(1, "pods", MESSAGE, repeated=True, of=".r.Pod"), Field(3, "more", UINT32)),
    },
)


def asked(method: str, message: Any = None, stream: int = 5, service: str = SERVICE) -> bytes:
    payload = b"" if message is None else message.SerializeToString()
    request = ENVELOPE["Request"](service=service, method=method, payload=payload)
    return sent(REQUEST, Message(PLUGIN, stream, request.SerializeToString()))


def configuring(milliseconds: int = 0) -> bytes:
    return asked("Configure", RUNTIMES["Configure"](name="containerd", version="v2.4.2", timeout=milliseconds))


def answer(reply: bytes) -> Message:
    """As the runtime reads it: in pieces, on the connection that it asks on."""
    whole = bytearray()
    while reply:
        assert int.from_bytes(reply[:4], "big") == PLUGIN
        length = int.from_bytes(reply[4:8], "big")
        whole += reply[8 : 8 + length]
        reply = reply[8 + length :]
    assert (int.from_bytes(whole[:4], "big"), whole[8]) == (len(whole) - 10, RESPONSE)
    return Message(PLUGIN, int.from_bytes(whole[4:8], "big"), bytes(whole[10:]))


async def frame(reader: asyncio.StreamReader) -> bytes:
    """The next one: of what the agent says, a whole message."""
    header = await reader.readexactly(8)
    return header + await reader.readexactly(int.from_bytes(header[4:], "big"))
