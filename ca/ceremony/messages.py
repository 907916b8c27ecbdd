"""What is asked of a ceremony, and what it answers, as JSON. Pure. No key is in either.

A ceremony is what needs the root's key: it is held in a process of its own, which ends with it (docs/decisions/0057).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias, TypeVar

import msgspec

from proa.errors import Invalid, ProaError, Refused
from proa.mesh import MeshConfiguration

LARGEST: Final = 4 * 1_048_576
"""Bytes of what is asked: it holds the mesh configuration, whose document has a mebibyte at most."""
LONGEST: Final = 262_144
"""Bytes of an answer: of some 25 lines for people, or of one error, which may quote as many lines of an object."""
_WORDS: Final = LONGEST // 8
"""Characters of an error too long for an answer: each may take six bytes in JSON."""

_T = TypeVar("_T")


class Step(StrEnum):
    CREATE = "create"
    """The first root and the first issuer, as far as they are not there."""
    RENEW = "renew"
    """The next issuer, below the same root; its name is the answer."""
    ROTATE = "rotate"
    """What the root's rotation has to write by now."""
    PREPARE = "prepare"
    """The issuers that have to wait until their CRL is known; how many were made is the answer."""


class Asked(msgspec.Struct, frozen=True):
    """*now* is the time of who asks: it is the only clock."""

    step: Step
    mesh: MeshConfiguration
    now: Annotated[datetime, msgspec.Meta(tz=True)]


class Told(msgspec.Struct, frozen=True):
    """An Event, as `ca.reports` sends it."""

    severity: Literal["Normal", "Warning"]
    reason: str
    message: str


class Looked(msgspec.Struct, frozen=True):
    """After one look at the rotation: its *phase*, empty where it could not be read, and how long it may rest."""

    phase: str
    pause: timedelta
    told: tuple[Told, ...]


class Done(msgspec.Struct, frozen=True, tag="done"):
    """*result* is the step's own."""

    result: msgspec.Raw


class Declined(msgspec.Struct, frozen=True, tag="declined"):
    """A ProaError: its code, its words, its fields."""

    code: str
    words: str
    fields: dict[str, Any]


_Answer: TypeAlias = Done | Declined


@dataclass(eq=False)
class CeremonyFailed(ProaError):
    """It came to an end and says what stopped it: *cause* is that error's code, *fields* are its fields."""

    code: ClassVar[str] = "ceremony_failed"
    cause: str
    words: str
    fields: Mapping[str, Any]

    def __str__(self) -> str:
        return self.words

    @property
    def lasting(self) -> bool:
        """Whether it would end the same way until somebody has mended something."""
        return self.cause in (Invalid.code, Refused.code)


@dataclass(eq=False)
class CeremonyLost(ProaError):
    """Nobody knows how far it came; whatever it wrote is whole, and carried on from."""

    code: ClassVar[str] = "ceremony_lost"
    reason: str

    def __str__(self) -> str:
        return f"the process that reads the root's key {self.reason}"


def done(result: object) -> bytes:
    return msgspec.json.encode(Done(msgspec.Raw(msgspec.json.encode(result))))


def declined(error: ProaError) -> bytes:
    whole = msgspec.json.encode(Declined(error.code, str(error), asdict(error)))
    if len(whole) < LONGEST:
        return whole
    return msgspec.json.encode(Declined(error.code, f"{str(error)[:_WORDS]}… (cut: there is more)", {}))


def result_of(answer: bytes, kind: type[_T]) -> _T:
    """Raises CeremonyFailed, and CeremonyLost for what is no answer."""
    try:
        found: _Answer = msgspec.json.decode(answer, type=_Answer)
        if isinstance(found, Done):
            return msgspec.json.decode(found.result, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CeremonyLost(f"answered {len(answer)} bytes that are no answer") from error
    raise CeremonyFailed(found.code, found.words, found.fields)
