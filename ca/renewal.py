"""When the issuer and the roots need somebody: renew, call for help, or rest until later. Pure.

Leaves end no later than their issuer, so an issuer is renewed while it has much longer to live than any leaf. What an
old issuer signed stays good: every leaf brings its own chain along.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from ca.certificates import Validity, validity
from ca.key_uri import KeyElsewhere
from ca.material import Material

RENEWAL_SHARE: Final = 1 / 3
"""An issuer of 90 days is renewed with 30 left."""
ALARM_SHARE: Final = 1 / 4
"""An issuer of 90 days that was not renewed, as where the root's key is elsewhere, is reported with 22 left."""
ROOT_SHARE: Final = 1 / 5
"""A root of ten years is reported with two left: every peer has to learn its successor before it ends."""
_FIRST_PAUSE: Final = 10.0
_LONGEST_PAUSE: Final = 600.0
_LONGEST_ASKED: Final = 1800.0


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

    Not when its root ends first: another intermediate below the same root would live no longer. And never when its key
    lies elsewhere: whoever put it there makes the next one.
    """
    issuing = material.issuer.issuing.validity
    due = issuer_due(issuing)
    if now < due:
        return Rest(due)
    if isinstance(material.issuer.key, KeyElsewhere) or validity(material.root).not_after <= issuing.not_after:
        return Rest(issuing.not_after)
    return Renew()


def issuer_due(issuing: Validity) -> datetime:
    """From when on an issuer is renewed."""
    return _due(issuing, RENEWAL_SHARE)


def pause_after(failures: int, asked: float = 0.0) -> timedelta:
    """Before the next try after so many *failures* in a row, one or more: 10 s, 20 s … 10 min, and at least as many
    seconds as were *asked* for, up to half an hour."""
    backoff = min(_FIRST_PAUSE * 2.0 ** min(failures - 1, 16), _LONGEST_PAUSE)
    return timedelta(seconds=max(backoff, min(asked, _LONGEST_ASKED)))


def leaf_due(serial: int, lived: Validity) -> datetime:
    """When a leaf that Proa keeps for others is renewed: from 45 % of its life to 55 %, by its *serial* number, which
    is random: so those that were made in one hour are not renewed in one hour for ever after."""
    share = 0.45 + 0.1 * (serial % 4096) / 4096
    return lived.not_before + lived.lifetime * share


def alarms(now: datetime, material: Material) -> tuple[EndsSoon, ...]:
    """What ends soon, and somebody has to know."""
    issuing, root = material.issuer.issuing.validity, validity(material.root)
    found: list[EndsSoon] = []
    if now >= _due(root, ROOT_SHARE):
        found.append(EndsSoon("the root", root.not_after, "add its successor to ca.crt, then issue from that one"))
    if now >= _due(issuing, ALARM_SHARE):
        remedy = (
            "see Events RenewalFailed; mend the upstream, or bring back the Secret proa-ca-root with the root's key,"
            " or have another one signed: proa ca csr"
        )
        found.append(EndsSoon("the issuing certificate", issuing.not_after, remedy))
    return tuple(found)


def _due(lived: Validity, share: float) -> datetime:
    return (lived.not_after - lived.lifetime * share).replace(microsecond=0)
