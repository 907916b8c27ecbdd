"""Both ends of a test connection, run inside network namespaces: `serve` says who was reached, `agent` asks.

The agent reads one JSON object a line, does each in a child with the ids asked for, and writes one line for each.
"""

import json
import os
import selectors
import socket
import struct
import sys
from contextlib import suppress
from functools import partial
from typing import Any

SO_ORIGINAL_DST = 80
"""linux/netfilter_ipv4.h; the same number for IPv6 (IP6T_SO_ORIGINAL_DST)."""
SO_MARK = 36
IP_PKTINFO = 8
IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75
PATIENCE = 15.0
UNANSWERED = 0.3
"""Seconds for a connection that is expected to be dropped."""
Reached = dict[str, object]


def original_destination(connection: socket.socket) -> str | None:
    """Where the client meant to go, by conntrack; nothing if conntrack did not see the connection."""
    try:
        if connection.family == socket.AF_INET:
            raw = connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
            return f"{socket.inet_ntop(socket.AF_INET, raw[4:8])}:{int.from_bytes(raw[2:4], 'big')}"
        raw = connection.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
        return f"[{socket.inet_ntop(socket.AF_INET6, raw[8:24])}]:{int.from_bytes(raw[2:4], 'big')}"
    except OSError:
        return None


def answer_tcp(who: str, port: int, listener: socket.socket) -> None:
    connection, client = listener.accept()
    with connection:
        local, dialled = connection.getsockname()[:2]
        reached = {"who": who, "port": port, "local": local, "dialled": dialled, "client": client[0]}
        connection.sendall(json.dumps(reached | {"original": original_destination(connection)}).encode())


def answer_udp(who: str, port: int, listener: socket.socket) -> None:
    """From the address that was asked, as a name server has to."""
    _, asked, _, client = listener.recvmsg(2048, 256)
    level, kind, raw = asked[0]
    source = raw[:16] + b"\0" * 4 if level == socket.IPPROTO_IPV6 else b"\0" * 4 + raw[8:12] + b"\0" * 4
    answer = json.dumps({"who": who, "port": port, "client": client[0]}).encode()
    listener.sendmsg([answer], [(level, kind, source)], 0, client)


def bound(kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    """A listener as a proxy makes it: also for connections to addresses that are not the pod's own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        listener.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        listener.setsockopt(socket.SOL_IP, IP_PKTINFO, 1)
    listener.bind((host, port))
    return listener


def serve(who: str, *listeners: str) -> None:
    """Listeners such as `tcp:80`, or `udp:15053:127.0.0.1` for an address alone."""
    selector = selectors.DefaultSelector()
    for spec in listeners:
        protocol, _, rest = spec.partition(":")
        port, _, host = rest.partition(":")
        for address in (host,) if host else ("0.0.0.0", "::"):  # noqa: S104 - a namespace of the test's own
            if protocol == "tcp":
                listener = bound(socket.SOCK_STREAM, address, int(port))
                listener.listen(64)
                answer = partial(answer_tcp, who, int(port), listener)
            else:
                listener = bound(socket.SOCK_DGRAM, address, int(port))
                answer = partial(answer_udp, who, int(port), listener)
            selector.register(listener, selectors.EVENT_READ, answer)
    _say("ready")
    while True:
        for key, _ in selector.select():
            key.data()


def probed(asked: dict[str, Any]) -> Reached:
    """The server's answer to one connection, or to one datagram, by this user and group."""
    with opened(asked) as client:
        client.settimeout(UNANSWERED if asked["short"] else PATIENCE)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            if asked["source"] or asked["source_port"]:
                client.bind((asked["source"], asked["source_port"]))
            client.connect((asked["host"], asked["port"]))
            if asked["udp"]:
                with suppress(PermissionError):  # a packet was dropped; why, the next call tells
                    client.send(b"?")
            answer: Reached = json.loads(client.recv(2048))
        except OSError as error:
            return {"error": type(error).__name__}
        return answer


def opened(asked: dict[str, Any]) -> socket.socket:
    """A socket of this user and group; the groups go too, or root's would remain. A marked one is made by them and
    then given, as root, what takes NET_ADMIN.
    """
    family = socket.AF_INET6 if ":" in asked["host"] else socket.AF_INET
    os.setgroups([])
    os.setgid(asked["gid"])
    (os.seteuid if asked["mark"] else os.setuid)(asked["uid"])
    client = socket.socket(family, socket.SOCK_DGRAM if asked["udp"] else socket.SOCK_STREAM)
    if asked["mark"]:
        os.seteuid(0)
        client.setsockopt(socket.SOL_SOCKET, SO_MARK, asked["mark"])
        if family == socket.AF_INET6:
            client.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
        else:
            client.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    return client


def agent() -> None:
    _say("ready")
    for line in sys.stdin:
        reading, writing = os.pipe()
        if child := os.fork():
            os.close(writing)
            with os.fdopen(reading, encoding="utf-8") as answer:
                _say(answer.read())
            os.waitpid(child, 0)
        else:
            with os.fdopen(writing, "w", encoding="utf-8") as answer:
                answer.write(json.dumps(probed(json.loads(line))))
            os._exit(0)


def strayed(host: str, port: int, *, short: bool) -> Reached:
    """What a segment far ahead of the window of a live connection, but of its ports, is answered with."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw,
        socket.create_connection((host, port), PATIENCE) as connection,
    ):
        raw.settimeout(PATIENCE)
        own, own_port = connection.getsockname()
        greeted = answers(raw, (port, own_port), flag=0x02)
        assert greeted
        raw.settimeout(UNANSWERED if short else PATIENCE)
        theirs, ours = struct.unpack("!LL", greeted[4:12])
        ahead = (ours + 2**28) % 2**32
        raw.sendto(segment((own, own_port), (host, port), ahead, (theirs + 1) % 2**32), (host, 0))
        return {"reset": bool(answers(raw, (port, own_port), flag=0x04))}


def segment(source: tuple[str, int], destination: tuple[str, int], sequence: int, acknowledged: int) -> bytes:
    """A bare acknowledgement (RFC 9293, 3.1), with its checksum over the pseudo-header."""
    header = struct.pack("!HHLLBBHHH", source[1], destination[1], sequence, acknowledged, 5 << 4, 0x10, 512, 0, 0)
    pseudo = socket.inet_aton(source[0]) + socket.inet_aton(destination[0]) + struct.pack("!BBH", 0, 6, len(header))
    total = sum(struct.unpack(f"!{(len(pseudo) + len(header)) // 2}H", pseudo + header))
    total = (total & 0xFFFF) + (total >> 16)
    return header[:16] + struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + header[18:]


def answers(raw: socket.socket, ports: tuple[int, int], flag: int) -> bytes:
    """The first segment from and to *ports* that bears *flag*; nothing if none comes while the socket is patient."""
    with suppress(TimeoutError):
        while True:
            packet = raw.recv(2048)
            header = packet[(packet[0] & 15) * 4 :]
            if struct.unpack("!HH", header[:4]) == ports and header[13] & flag:
                return header
    return b""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    elif sys.argv[1] == "stray":
        _say(json.dumps(strayed(sys.argv[2], int(sys.argv[3]), short="short" in sys.argv)))
    else:
        agent()
