"""What to intercept in a pod: one value that cannot be wrong. Pure."""

from __future__ import annotations

from init.refusals import refusal
from init.values import Value
from proa import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from init.refusals import Problem

_LAST_ID: Final = 2**32 - 2
"""The highest user or group: 2**32 - 1 is the kernel's `no id` (chown(2))."""
_IDS: Final = f"1 to {_LAST_ID}; 0 would let every process of root pass by the proxy"
_PORTS: Final = "1 to 65535"


class Interception(Value):
    """TCP of one pod, IPv4 and IPv6, to and from the proxy. Raises Refused with every bad field at once."""

    proxy_uid: int = names.PROXY_UID
    proxy_gid: int = names.PROXY_GID
    """A process that runs as this user or this group is the proxy: its connections leave as they are."""
    outbound_port: int = names.OUTBOUND_PORT
    """Where the proxy takes what the application dials."""
    inbound_port: int = names.INBOUND_PORT
    """Where the proxy takes what others dial."""
    excluded_inbound_ports: tuple[int, ...] = (names.READY_PORT, names.METRICS_PORT)
    """Ports others reach directly. The defaults are the proxy's own listeners for the kubelet and for Prometheus."""

    def __post_init__(self) -> None:
        problems = (*_id_problems(self), *_port_problems(self), *_exclusion_problems(self))
        if problems:
            raise refusal("the interception", problems)


def _id_problems(wanted: Interception) -> Iterator[Problem]:
    for field, found in (("proxy_uid", wanted.proxy_uid), ("proxy_gid", wanted.proxy_gid)):
        if not 1 <= found <= _LAST_ID:
            yield field, found, _IDS


def _port_problems(wanted: Interception) -> Iterator[Problem]:
    for field, found in (("outbound_port", wanted.outbound_port), ("inbound_port", wanted.inbound_port)):
        if not _is_port(found):
            yield field, found, _PORTS
    if wanted.inbound_port == wanted.outbound_port:
        yield (
            "inbound_port",
            wanted.inbound_port,
            "another port than outbound_port: the proxy tells the two apart by it",
        )


def _exclusion_problems(wanted: Interception) -> Iterator[Problem]:
    for port in wanted.excluded_inbound_ports:
        if not _is_port(port):
            yield "excluded_inbound_ports", port, _PORTS
        elif port in {wanted.inbound_port, wanted.outbound_port}:
            yield "excluded_inbound_ports", port, "ports that do not themselves take intercepted connections"


def _is_port(number: int) -> bool:
    return 1 <= number <= 65535
