"""What a rule may ask of a packet. Pure."""

from __future__ import annotations

from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

Protocol: TypeAlias = "Literal['tcp', 'udp']"


class Of(Value):
    """Any packet of this protocol."""

    protocol: Protocol


class NotTcp(Value):
    """Any packet but TCP's."""


class NotUdp(Value):
    """Any packet but UDP's."""


class OfFamily(Value):
    """Of this family, 4 or 6."""

    family: int


class Arriving(Value):
    """By the interface of this name."""

    interface: str


class Leaving(Value):
    """By the interface of this name."""

    interface: str


class ArrivingByOne(Value):
    """By an interface of the set of this name."""

    interfaces: str


class LeavingByOne(Value):
    """By an interface of the set of this name."""

    interfaces: str


class FromNetwork(Value):
    """From this IPv4 or IPv6 address or network."""

    network: str


class ToNetwork(Value):
    """To this IPv4 or IPv6 address or network."""

    network: str


class ToOutside(Value):
    """To an address of the network's family that is not in the network."""

    network: str


class FromOne(Value):
    """From an address of the set of this name, which is of this family."""

    family: int
    networks: str


class ToOne(Value):
    """To an address of the set of this name, which is of this family."""

    family: int
    networks: str


class ToPod(Value):
    """To an address of the pod's own."""


class ToPort(Value):
    """To this port."""

    protocol: Protocol
    port: int


class FromPort(Value):
    """From this port."""

    protocol: Protocol
    port: int


class ToPortIn(Value):
    """To a port of the set of this name."""

    protocol: Protocol
    ports: str


class OfUserIn(Value):
    """Sent through a socket that was made by a user of the set of this name."""

    uids: str


class OfGroupIn(Value):
    """Sent through a socket that was made by a group of the set of this name."""

    gids: str


class Marked(Value):
    """The packet bears this mark."""

    mark: int


class ConnectionMarked(Value):
    """The packet's connection bears this mark."""

    mark: int


class New(Value):
    """The first packet of a connection."""


class Established(Value):
    """Of a connection that was answered."""


class Invalid(Value):
    """Conntrack cannot place it."""


class Reply(Value):
    """It goes against the direction in which its connection was made."""


Match: TypeAlias = (
    Of
    | NotTcp
    | NotUdp
    | OfFamily
    | Arriving
    | Leaving
    | ArrivingByOne
    | LeavingByOne
    | FromNetwork
    | ToNetwork
    | ToOutside
    | FromOne
    | ToOne
    | ToPod
    | ToPort
    | FromPort
    | ToPortIn
    | OfUserIn
    | OfGroupIn
    | Marked
    | ConnectionMarked
    | New
    | Established
    | Invalid
    | Reply
)
