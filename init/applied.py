"""What the kernel holds once interception is applied. Pure."""

from __future__ import annotations

from init.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias


class Added(Value):
    """::6 was put on lo."""


class Present(Value):
    """::6 was on lo already."""


class Unavailable(Value):
    """There is no IPv6 on lo: the proxy cannot hand IPv6 connections to the application."""

    reason: str


Hairpin: TypeAlias = Added | Present | Unavailable


class Applied(Value):
    """The table is in force and was read back."""

    hairpin: Hairpin
    unchanged: bool
    """It was there already, just so."""
