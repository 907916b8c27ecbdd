"""NRI's connection as bytes: connections multiplexed into one, and on each of them ttrpc's messages. Pure.

pkg/net/multiplex/mux.go of containerd/nri; PROTOCOL.md and channel.go of containerd/ttrpc. Whatever pieces the bytes
come in, the messages are the same, and nothing is held but the one that is not whole yet.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from proa.errors import ProaError

PLUGIN: Final = 1
"""On this connection the runtime asks, and the plugin answers."""
RUNTIME: Final = 2
"""And the other way round on this one."""
REQUEST: Final = 1
RESPONSE: Final = 2
LONGEST: Final = 4 << 20
"""Bytes of a message, ttrpc's own bound (messageLengthMax)."""
_EXPECTED: Final = {PLUGIN: REQUEST, RUNTIME: RESPONSE}
_FRAME: Final = struct.Struct(">II")
"""Connection, length of what follows."""
_HEADER: Final = struct.Struct(">IIBB")
"""Length of what follows, stream, type, flags."""
_PIECE: Final = 4096
"""Bytes of a frame that we send: the other end reads each into a buffer that holds no more (Read of mux.go, bufio)."""


@dataclass(eq=False)
class Garbled(ProaError):
    """What came is not the protocol; the connection is of no use any more."""

    code: ClassVar[str] = "nri_garbled"
    found: str

    def __str__(self) -> str:
        return f"this is not NRI: {self.found}"


@dataclass(frozen=True, slots=True)
class Message:
    """A request, if it came on PLUGIN or goes out on RUNTIME; else the answer to that of the same *stream*."""

    connection: int
    stream: int
    payload: bytes


def sent(kind: int, message: Message) -> bytes:
    """*message* as it goes out."""
    whole = _HEADER.pack(len(message.payload), message.stream, kind, 0) + message.payload
    pieces = (whole[at : at + _PIECE] for at in range(0, len(whole), _PIECE))
    return b"".join(_FRAME.pack(message.connection, len(each)) + each for each in pieces)


class Incoming:
    """What has come and is not a whole message yet."""

    def __init__(self) -> None:
        self._trunk = bytearray()
        self._connections = {number: bytearray() for number in _EXPECTED}

    def messages(self, received: bytes) -> Iterator[Message]:
        """Those that *received* completes. Raises Garbled."""
        self._trunk += received
        while (number := self._frame()) is not None:
            while (message := _message(number, self._connections[number])) is not None:
                yield message

    def _frame(self) -> int | None:
        """Moves one to its connection, and says to which; None if none is whole."""
        if len(self._trunk) < _FRAME.size:
            return None
        number, length = map(int, _FRAME.unpack_from(self._trunk))
        if number not in self._connections or length > _HEADER.size + LONGEST:
            raise Garbled(f"a frame of {length} bytes for connection {number}")
        end = _FRAME.size + length
        if len(self._trunk) < end:
            return None
        self._connections[number] += self._trunk[_FRAME.size : end]
        del self._trunk[:end]
        return number


def _message(number: int, held: bytearray) -> Message | None:
    """Takes one off *held*, if one is whole there."""
    if len(held) < _HEADER.size:
        return None
    length, stream, kind, _ = _HEADER.unpack_from(held)
    if kind != _EXPECTED[number] or length > LONGEST:
        raise Garbled(f"a message of type {kind} with {length} bytes on connection {number}")
    end = _HEADER.size + length
    if len(held) < end:
        return None
    payload = bytes(held[_HEADER.size : end])
    del held[:end]
    return Message(number, stream, payload)
