"""What the kernel holds once interception is applied. Pure."""

from __future__ import annotations

from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal, TypeAlias


BackendName: TypeAlias = "Literal['nftables', 'iptables', 'iptables-legacy']"
Backend: TypeAlias = "BackendName | Literal['auto']"

BACKENDS: Final[tuple[BackendName, ...]] = ("nftables", "iptables", "iptables-legacy")
"""In the order in which they are tried."""


PREFIX: Final = "PROA_"
"""Of the chains of iptables that are ours."""


class Added(Value):
    """::6 was put on lo."""


class Present(Value):
    """::6 was on lo already."""


class Unavailable(Value):
    """There is no IPv6 on lo: the proxy cannot hand IPv6 connections to the application."""

    reason: str


Hairpin: TypeAlias = Added | Present | Unavailable


class Loaded(Value):
    """The rules are in force and were read back."""

    unchanged: bool
    """They were there already, just so."""
    was_tproxied: bool
    """The former rules needed routes."""


class Applied(Value):
    """Interception is in force."""

    hairpin: Hairpin
    backend: BackendName
    reason: str
    """Why that one."""
    unchanged: bool
