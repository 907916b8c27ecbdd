"""Both ends of a test connection, run inside network namespaces: `serve` says who was reached, `probe` asks."""

import argparse
import json
import os
import selectors
import socket
import sys
from functools import partial

SO_ORIGINAL_DST = 80
"""linux/netfilter_ipv4.h; the same number for IPv6 (IP6T_SO_ORIGINAL_DST)."""
PATIENCE = 3.0


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


def answer_tcp(who: str, listener: socket.socket) -> None:
    connection, client = listener.accept()
    with connection:
        local, port = connection.getsockname()[:2]
        reached = {"who": who, "port": port, "local": local, "client": client[0]}
        connection.sendall(json.dumps(reached | {"original": original_destination(connection)}).encode())


def answer_udp(who: str, port: int, listener: socket.socket) -> None:
    _, client = listener.recvfrom(2048)
    listener.sendto(json.dumps({"who": who, "port": port, "client": client[0]}).encode(), client)


def bound(family: socket.AddressFamily, kind: socket.SocketKind, port: int) -> socket.socket:
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(("" if family == socket.AF_INET else "::", port))
    return listener


def serve(who: str, tcp: list[int], udp: list[int]) -> None:
    selector = selectors.DefaultSelector()
    for family in (socket.AF_INET, socket.AF_INET6):
        for port in tcp:
            listener = bound(family, socket.SOCK_STREAM, port)
            listener.listen(64)
            selector.register(listener, selectors.EVENT_READ, partial(answer_tcp, who, listener))
        for port in udp:
            listener = bound(family, socket.SOCK_DGRAM, port)
            selector.register(listener, selectors.EVENT_READ, partial(answer_udp, who, port, listener))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        for key, _ in selector.select():
            key.data()


def probe(asked: argparse.Namespace) -> dict[str, object]:
    """The server's answer to one connection by this user and group; the groups go too, or root's would remain."""
    os.setgroups([])
    os.setgid(asked.gid)
    os.setuid(asked.uid)
    family = socket.AF_INET6 if ":" in asked.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if asked.udp else socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE)
        if asked.source:
            client.bind((asked.source, 0))
        try:
            client.connect((asked.host, asked.port))
            if asked.udp:
                client.send(b"?")
            return json.loads(client.recv(2048))
        except OSError as error:
            return {"error": type(error).__name__}


def main() -> None:
    parser = argparse.ArgumentParser()
    modes = parser.add_subparsers(dest="mode", required=True)
    server = modes.add_parser("serve")
    server.add_argument("who")
    server.add_argument("--tcp", type=int, nargs="*", default=[])
    server.add_argument("--udp", type=int, nargs="*", default=[])
    client = modes.add_parser("probe")
    client.add_argument("host")
    client.add_argument("port", type=int)
    client.add_argument("--uid", type=int, required=True)
    client.add_argument("--gid", type=int, required=True)
    client.add_argument("--source", default="")
    client.add_argument("--udp", action="store_true")
    asked = parser.parse_args()
    if asked.mode == "serve":
        serve(asked.who, asked.tcp, asked.udp)
    else:
        sys.stdout.write(json.dumps(probe(asked)))


if __name__ == "__main__":
    main()
