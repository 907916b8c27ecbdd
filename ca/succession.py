"""Whether what somebody wrote into the Secret `proa-ca` comes into force, or the last good content stays. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from ca.material import Material
from ca.phases import Record, Wish, record_of, wish_of
from ca.stored import ISSUER_SECRET, reference, stored_material
from proa.errors import ProaError
from proa.json import Json


@dataclass(frozen=True, slots=True)
class Seen:
    """The Secret as it stands in the cluster: what an Event about it needs, what it holds or why it cannot, what is
    asked of the leader, and how far a rotation is, which are news even where all else stays as it was
    (`kube.watching.Known`)."""

    about: Json
    content: Material | ProaError
    wish: Wish | None = None
    key_uri: str = ""
    """Where the issuer's key lies, if elsewhere, which is news as well: its certificate does not tell."""
    record: Record = field(default_factory=Record)


@dataclass(frozen=True, slots=True)
class Adopt:
    """Issue with *material* from now on."""

    material: Material


@dataclass(frozen=True, slots=True)
class Keep:
    """Go on with what there was, if anything: *problem* is what an admin has to mend."""

    problem: str


Succession: TypeAlias = Adopt | Keep


def seen(secret: Json) -> Seen:
    try:
        material = stored_material(secret)
        return Seen(reference(secret), material, wish_of(secret), material.key_uri, record_of(secret))
    except ProaError as problem:
        return Seen(reference(secret), problem, wish_of(secret), record=record_of(secret))


def succession(
    current: Material | None, found: Seen | None, fault: Callable[[Material], str], now: datetime
) -> Succession:
    """What to do about *found* (None: it was deleted); *fault* says what is wrong with a material in use, or "".

    Without a current one that can issue, one with a fault comes into force all the same: it is what can be renewed,
    and it says itself why nobody is served.
    """
    kept = "" if current is None else f"; still issuing with {current}"
    match found:
        case None:
            return Keep(f"the Secret {ISSUER_SECRET} was deleted{kept}")
        case Seen(content=Material() as material):
            problem = fault(material)
            if problem and current is not None and current.usable(now):
                return Keep(f"the Secret {ISSUER_SECRET} is not usable: {problem}{kept}")
            return Adopt(material)
        case Seen(content=problem):
            return Keep(f"{problem}{kept}")
