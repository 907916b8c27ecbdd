"""A packet capture on the bridge: how much passed, and whether any of it was the body in cleartext. Shell."""

import fcntl
import socket
import struct
import threading
from typing import Final, Self

from demo.network import BRIDGE, NODE, socket_in
from demo.proof import Captured

_ALL_PROTOCOLS: Final = 0x0003  # ETH_P_ALL
_GET_INDEX: Final = 0x8933  # SIOCGIFINDEX
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS = 263, 1, 1
_LONGEST_FRAME: Final = 65536
_QUIET: Final = 0.2


class Capture:
    """Captures between entering and leaving; `captured` is what it saw."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._socket = socket_in(NODE, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        self.captured = Captured(0, 0, 0)

    def __enter__(self) -> Self:
        self._socket.bind((BRIDGE, 0))
        # Promiscuous, a bridge shows also the frames that it forwards from one port to another.
        request = struct.pack("16si12x", BRIDGE.encode(), 0)
        index: int = struct.unpack("16si12x", fcntl.ioctl(self._socket, _GET_INDEX, request))[1]
        self._socket.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("iHH8x", index, _PROMISCUOUS, 0))
        self._socket.settimeout(_QUIET)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        """Until asked to stop and nothing more is waiting."""
        while True:
            try:
                frame = self._socket.recv(_LONGEST_FRAME)
            except TimeoutError:
                if self._stopping.is_set():
                    return
                continue
            seen = self.captured
            self.captured = Captured(seen.frames + 1, seen.bytes + len(frame), seen.cleartext + (self._text in frame))
