"""What a rule may do with a packet. Pure."""

from __future__ import annotations

from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias


class Return(Value):
    """Nothing further down applies: the packet goes on as it is, and is counted if a counter is named."""

    counter: str = ""


class Goto(Value):
    """The chain of this name decides."""

    chain: str


class Redirect(Value):
    """The packet goes to this local port and is counted; the proxy asks the kernel where it was meant to go."""

    port: int
    counter: str


class Tproxy(Value):
    """The packet goes to the socket at this local port as it is, bears the mark and is counted once a connection."""

    port: int
    mark: int


class Count(Value):
    """The packet is counted, and the next rule asked."""

    counter: str


class Zone(Value):
    """Conntrack keeps the packet's connection apart from those of other zones; nothing further down applies."""

    number: int


class MarkPacket(Value):
    """The packet bears this mark from now on, and is routed by it."""

    mark: int


class MarkConnection(Value):
    """The packet's connection bears this mark from now on; nothing further down applies."""

    mark: int


class Drop(Value):
    """The packet is gone, and counted."""

    counter: str


class Reject(Value):
    """The same, and the sender is told that the port cannot be reached."""

    counter: str


class Log(Value):
    """A line in the kernel's log, at most *rate* of them a second, and the next rule is asked."""

    prefix: str
    rate: int


Verdict: TypeAlias = (
    Return | Goto | Redirect | Tproxy | Count | Zone | MarkPacket | MarkConnection | Drop | Reject | Log
)
