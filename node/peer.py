"""Who is at the other end of a Unix socket. Shell."""

import socket
import struct
from asyncio.trsock import TransportSocket
from typing import Final

_CREDENTIALS: Final = struct.Struct("iii")
"""ucred of unix(7): process, user, group."""


def user(connection: socket.socket | TransportSocket) -> int:
    """By which user the other end was opened, or listens (SO_PEERCRED)."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[1])
