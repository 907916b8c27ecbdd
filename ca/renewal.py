"""When the issuer and the roots need somebody: renew, call for help, or rest until later. Pure.

Leaves end no later than their issuer, so an issuer is renewed while it has much longer to live than any leaf. What an
old issuer signed stays good: every leaf brings its own chain along.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from ca.certificates import Validity, validity
from ca.material import Material

RENEWAL_SHARE: Final = 1 / 3
"""An issuer of 90 days is renewed with 30 left."""
ALARM_SHARE: Final = 1 / 4
"""An issuer of 90 days that was not renewed, as where the root's key is elsewhere, is reported with 22 left."""
ROOT_SHARE: Final = 1 / 5
"""A root of ten years is reported with two left: every peer has to learn its successor before it ends."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do before *until*."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Renew:
    """Time for a new intermediate from the root's key."""


Renewal: TypeAlias = Rest | Renew


@dataclass(frozen=True, slots=True)
class EndsSoon:
    """Something nobody here can renew comes to its end."""

    what: str
    end: datetime
    remedy: str

    def __str__(self) -> str:
        return f"{self.what} ends at {self.end:%Y-%m-%dT%H:%M:%SZ}: {self.remedy}"


def renewal(now: datetime, material: Material) -> Renewal:
    """Whether the issuer should be renewed at *now*, or from when on.

    Not when its root ends first: another intermediate below the same root would live no longer.
    """
    issuing = material.issuer.issuing.validity
    due = _due(issuing, RENEWAL_SHARE)
    if now < due:
        return Rest(due)
    if validity(material.root).not_after <= issuing.not_after:
        return Rest(issuing.not_after)
    return Renew()


def alarms(now: datetime, material: Material) -> tuple[EndsSoon, ...]:
    """What ends soon, and somebody has to know."""
    issuing, root = material.issuer.issuing.validity, validity(material.root)
    found: list[EndsSoon] = []
    if now >= _due(root, ROOT_SHARE):
        found.append(EndsSoon("the root", root.not_after, "add its successor to ca.crt, then issue from that one"))
    if now >= _due(issuing, ALARM_SHARE):
        remedy = "bring back the Secret proa-ca-root with the root's key, or put a new intermediate into proa-ca"
        found.append(EndsSoon("the issuing certificate", issuing.not_after, remedy))
    return tuple(found)


def _due(lived: Validity, share: float) -> datetime:
    return (lived.not_after - lived.lifetime * share).replace(microsecond=0)
