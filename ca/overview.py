"""How the authority stands, as an admin reads it: each certificate, the phase of a rotation, what is wrong. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509

from ca.certificates import fingerprint, validity
from ca.examination import key_kind, rough
from ca.phases import Advance, Announced, Phase, Preparing, Renewing, Resting, Settling, Wish, name_of
from ca.renewal import alarms
from ca.rotation import OFFLINE, due, retired, settled
from ca.writes import Found
from proa.errors import Invalid

_END: Final = "`proa ca rotate --advance` ends the wait, `proa ca rotate --abort`"


@dataclass(frozen=True, slots=True)
class Holding:
    """One certificate of the authority's: its *role*, whether its key is in the cluster, how long it has *left*."""

    role: str
    sha256: str
    key: str
    key_stored: bool
    published: bool
    not_after: datetime
    left: str


@dataclass(frozen=True, slots=True)
class Overview:
    """*told* is what goes on and what comes next, *problems* what somebody has to mend."""

    phase: str
    told: str
    wish: str
    holdings: tuple[Holding, ...]
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not self.problems


def overview(found: Found, now: datetime) -> Overview:
    roots = tuple(_holding(found, root, _role(found, root), now) for root in found.material.roots)
    issuer = _holding(found, found.material.issuer.issuing.certificate, "issuer", now)
    asked = "" if found.wish is None else str(type(found.wish).__struct_config__.tag)
    return Overview(
        name_of(found.record.phase), _told(found, now), asked, (issuer, *roots), tuple(_problems(found, now))
    )


def advanced(phase: Phase) -> Wish:
    """The wish to end the wait of *phase*. Raises Invalid where it is not one that waits for leaves."""
    if not isinstance(phase, Settling | Renewing):
        raise Invalid("--advance", f"the phase {name_of(phase)}", "settling or renewing, which wait for leaves to end")
    return Advance(name_of(phase))


def check_abortable(phase: Phase) -> None:
    """Raises Invalid where nothing goes on."""
    if isinstance(phase, Resting):
        raise Invalid("--abort", "no rotation", "one that is under way: `proa ca status`")


def check_startable(found: Found) -> None:
    """Raises Invalid where the leader would decline."""
    if not isinstance(found.record.phase, Resting):
        phase = name_of(found.record.phase)
        raise Invalid("rotate", f"a rotation that is {phase}", "none that is under way: --advance or --abort it")
    if not found.rotatable:
        raise Invalid("rotate", "a root whose key is elsewhere", OFFLINE)


def _holding(found: Found, certificate: x509.Certificate, role: str, now: datetime) -> Holding:
    end = validity(certificate).not_after
    return Holding(
        role=role,
        sha256=fingerprint(certificate),
        key=key_kind(certificate),
        key_stored=role == "issuer" or certificate in found.keys,
        published=certificate in found.published,
        not_after=end,
        left=rough(end - now) if now < end else "expired",
    )


def _role(found: Found, root: x509.Certificate) -> str:
    if root == found.material.root:
        return "root, issues"
    match found.record.phase:
        case Announced(next=name) | Settling(next=name) if name == fingerprint(root):
            return "root, next"
        case Renewing(retiring=name) if name == fingerprint(root):
            return "root, retiring"
        case _:
            return "root, trusted"


def _told(found: Found, now: datetime) -> str:
    match found.record.phase:
        case Resting() if found.rotatable:
            return f"The root is rotated from {_time(due(found.material.root))} on, or by `proa ca rotate`."
        case Resting():
            return "The root's key is not in the cluster: its owner rotates it."
        case Preparing():
            return "The next root is being made."
        case Announced():
            return "The next root waits to be published to all pods."
        case Settling() as phase:
            until = settled(phase, found.record.longest)
            return f"The next root issues {_in(until, now)}, when all pods have it; {_END} withdraws it."
        case Renewing(retiring=name) as phase:
            former = found.trusted(name)
            until = retired(phase, found.record.longest, former) if former else now
            return f"The former root goes {_in(until, now)}, with its last leaf; {_END} lets it issue again."


def _problems(found: Found, now: datetime) -> Iterator[str]:
    material = found.material
    if not material.usable(now):
        yield "no certificate can be issued: the issuer or its root is not valid now, or for less than an hour"
    else:
        yield from map(str, alarms(now, material))
    if any(root not in found.published and _role(found, root) != "root, next" for root in material.roots):
        yield "pods are not given every root of the Secret proa-ca: the leader publishes them within seconds"
    if not found.rotatable and now >= due(material.root):
        yield f"the root is due to be rotated: {OFFLINE}"


def _in(until: datetime, now: datetime) -> str:
    return f"in {rough(until - now)}, at {_time(until)}" if until > now else "now"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
