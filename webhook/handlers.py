"""One probe or lifecycle hook: what the sidecar asks in the kubelet's place, and how the kubelet asks it. Pure.

Only what must changes: the port; from https the scheme; a tcpSocket becomes an httpGet. The kubelet goes on with
its own periods, timeouts, thresholds, headers, paths and gRPC services. `exec` asks nobody and stays. So does what
names a `host`, as that need not be this pod; what asks the sidecar itself; and a tcpSocket hook, as no kubelet runs
one (core/v1 LifecycleHandler).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from proa import names
from proa.errors import Invalid, ProaError, shown
from proa.json import Json
from proxy.probes import GRPC_METHOD, TCP_PATH, Backend, Probe, Protocol
from webhook import pod as view
from webhook.decoding import converted
from webhook.kubelet import literal, port_number, request_target
from webhook.operations import Add, Operation, Remove, encoded, pointer

SIDECAR_PORTS: Final = (
    names.ADMIN_PORT,
    names.OUTBOUND_PORT,
    names.INBOUND_PORT,
    names.READY_PORT,
    names.METRICS_PORT,
)
"""Those of every sidecar, whatever its pod asks for."""
_PERIOD: Final = 10
_TIMEOUT: Final = 1
"""Seconds, where a probe says nothing (core/v1 Probe)."""
_UNTIMED: Final = 0
"""A hook may take as long as the pod has to end."""
_SCHEMES: Final = {"": Protocol.HTTP, "HTTP": Protocol.HTTP, "HTTPS": Protocol.HTTPS}


@dataclass(frozen=True, slots=True)
class Asked:
    """A probe or hook as it stands in the pod, at the JSON Pointer of *tokens*."""

    container: view.Container
    tokens: tuple[str, ...]
    probe: view.Probe

    @property
    def name(self) -> str:
        """Such as `readinessProbe` or `preStop`."""
        return self.tokens[-1]

    @property
    def field(self) -> str:
        """As people write it: `spec.containers[0].readinessProbe`."""
        return ".".join(self.tokens).replace(f".{self.tokens[2]}.", f"[{self.tokens[2]}].", 1)

    @property
    def is_hook(self) -> bool:
        return "lifecycle" in self.tokens


@dataclass(frozen=True, slots=True)
class Handler:
    """What is to change: *original* are the members of *kind* (`httpGet`, `tcpSocket`, `grpc`) as they were; of a
    tcpSocket all of them. *probe* is what the sidecar asks instead.
    """

    asked: Asked
    kind: str
    original: dict[str, Json]
    probe: Probe

    @property
    def originals(self) -> dict[str, dict[str, Json] | None]:
        """*original* by *kind*; with the httpGet that a tcpSocket's would replace, if there was one: null."""
        if self.kind == "tcpSocket" and self.asked.probe.http_get is None:
            return {self.kind: self.original, "httpGet": None}
        return {self.kind: self.original}

    def edits(self, port: int) -> Iterator[Operation]:
        """The operations after which the kubelet asks the sidecar at *port*."""
        place = pointer(*self.asked.tokens)
        if self.kind == "tcpSocket":
            yield Remove(f"{place}/tcpSocket")
            yield Add(f"{place}/httpGet", encoded({"path": TCP_PATH, "port": port}))
            return
        yield Add(f"{place}/{self.kind}/port", encoded(port))
        if "scheme" in self.original:
            # The sidecar asks by https; to the kubelet it has no certificate to show.
            yield Add(f"{place}/{self.kind}/scheme", encoded("HTTP"))


@dataclass(eq=False)
class Unresolved(ProaError):
    """A probe's port is a name that its container gives no port: not even the kubelet can ask there."""

    code: ClassVar[str] = "unresolved_port"
    field: str
    found: str
    known: str

    def __str__(self) -> str:
        return f"{self.field} is left as it is: no port of the container has the name {self.found} ({self.known})"


def handler(asked: Asked) -> Handler | None:
    """What is to change of a probe or hook; None where it stays. Raises Unresolved for a port that nobody has, and
    Invalid for a tcpSocket that cannot be read.
    """
    match asked.probe.http_get or None, asked.probe.tcp_socket, asked.probe.grpc:
        case view.HttpGet() as get, None, None:
            found = _http(asked, get)
        case None, dict() as members, None if not asked.is_hook:
            found = _tcp(asked, members)
        case None, None, view.Grpc(port=port) if not asked.is_hook:
            probe = _probe(asked, Backend(Protocol.GRPC, port), GRPC_METHOD)
            found = Handler(asked, "grpc", {"port": port}, probe)
        case _:
            # Nothing is asked, or more than the API server lets in.
            return None
    if found is None or not 1 <= found.probe.backend.port <= 65535 or found.probe.backend.port in SIDECAR_PORTS:
        return None
    return found


def _http(asked: Asked, get: view.HttpGet) -> Handler | None:
    protocol = _SCHEMES.get(get.scheme or "")
    if get.host or protocol is None:
        return None
    original: dict[str, Json] = {"port": get.port}
    if protocol is Protocol.HTTPS:
        original["scheme"] = get.scheme
    port = _port(asked, "httpGet", get.port)
    headers = frozenset(header.name.lower() for header in get.http_headers or ())
    # What the user wrote must not become a variable of the sidecar's container.
    target = literal(request_target(get.path or ""))
    return Handler(asked, "httpGet", original, _probe(asked, Backend(protocol, port), target, headers))


def _tcp(asked: Asked, members: dict[str, Json]) -> Handler | None:
    try:
        socket = converted(members, view.TcpSocket, "")
    except Invalid as problem:
        raise problem.under("tcpSocket") from problem
    if socket.host:
        return None
    port = _port(asked, "tcpSocket", socket.port)
    return Handler(asked, "tcpSocket", members, _probe(asked, Backend(Protocol.TCP, port), TCP_PATH))


def _port(asked: Asked, kind: str, found: int | str) -> int:
    declared = asked.container.ports or ()
    number = port_number(found, declared)
    if number is None:
        known = ", ".join(port.name for port in declared if port.name)
        raise Unresolved(f"{asked.field}.{kind}.port", shown(found), known or "it names none")
    return number


def _probe(asked: Asked, backend: Backend, target: str, headers: frozenset[str] = frozenset()) -> Probe:
    if asked.is_hook:
        return Probe(backend, target, _UNTIMED, _PERIOD, headers)
    seconds, period = asked.probe.timeout_seconds, asked.probe.period_seconds
    return Probe(backend, target, max(1, seconds or _TIMEOUT), max(1, period or _PERIOD), headers)
