"""The alternatives an interception is made of, each a value of its own. Pure."""

from __future__ import annotations

from proa.capture.spans import ALL_PORTS
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from proa.capture.spans import Spans

FamilyPolicy: TypeAlias = "Literal['capture', 'bypass', 'drop']"
DatagramPolicy: TypeAlias = "Literal['bypass', 'drop', 'reject']"


class Redirected(Value):
    """The destination of an inbound connection is rewritten; the proxy asks the kernel for the former one."""


class Tproxied(Value):
    """An inbound connection keeps its destination, and the proxy may speak to the application from its source."""

    mark: int = 1337
    """Of packets the proxy sends from an address that is not its own, and of the answers to them."""
    table: int = 133
    """Of the routes that bring the answers back."""


InboundMode: TypeAlias = Redirected | Tproxied


class NoDns(Value):
    """Questions go to the servers the application asks."""


class DnsTo(Value):
    """Questions to these servers, addresses of either family, go to the proxy."""

    servers: tuple[str, ...]


class AllDns(Value):
    """Every question to port 53 goes to the proxy."""


Dns: TypeAlias = NoDns | DnsTo | AllDns


class ExcludedUsers(Value):
    """What processes of these users dial, TCP and UDP, on these ports."""

    uids: Spans
    ports: Spans = ALL_PORTS
