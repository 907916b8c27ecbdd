"""The phases of a root's rotation and what an admin may ask of it, as annotations of the Secret `proa-ca`. Pure.

They stand on the object that holds the issuer and the roots, so that one write changes all of it or nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeAlias, TypeVar, cast, get_args

import msgspec

from ca.profile import DEFAULT_LEAF
from proa.errors import Invalid, shown
from proa.json import Json
from proa.names import PREFIX

ROTATION: Final = f"{PREFIX}/rotation"
"""Annotation: the phase and what it needs to go on. Written by the leader."""
WISH: Final = f"{PREFIX}/rotate"
"""Annotation: what an admin asks for. Removed by the leader once it is done or declined."""

LONGEST_SETTLING: Final = timedelta(days=365)
"""What is longer is a slip of the pen, and added to a moment may be beyond the last year that there is."""
Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]

_T = TypeVar("_T")


class Resting(msgspec.Struct, frozen=True, tag_field="phase", tag="resting"):
    """One root issues. Others may be trusted beside it, as an admin put them there."""


class Preparing(msgspec.Struct, frozen=True, tag_field="phase", tag="preparing"):
    """A rotation has begun: the next root is made and its key stored. *settle* is how long peers shall have to
    learn it; 0 stands for as long as a leaf may live."""

    settle: timedelta

    def __post_init__(self) -> None:
        _check(self.settle)


class Announced(msgspec.Struct, frozen=True, tag_field="phase", tag="announced"):
    """The *next* root (SHA-256 of its DER, hexadecimal) stands among the roots; the cluster does not show it yet."""

    next: str
    settle: timedelta

    def __post_init__(self) -> None:
        _check(self.settle)


class Settling(msgspec.Struct, frozen=True, tag_field="phase", tag="settling"):
    """The *next* root is seen published since *since*. It issues once all peers have it (`rotation.settled`)."""

    next: str
    settle: timedelta
    since: Moment

    def __post_init__(self) -> None:
        _check(self.settle)


class Renewing(msgspec.Struct, frozen=True, tag_field="phase", tag="renewing"):
    """The new root issues since *since*. The *retiring* one stays until none of its leaves is alive
    (`rotation.retired`)."""

    retiring: str
    since: Moment


Phase: TypeAlias = Resting | Preparing | Announced | Settling | Renewing


def _check(wait: timedelta) -> None:
    """Raises ValueError, which the library tells whoever reads."""
    if wait > LONGEST_SETTLING:
        raise ValueError(f"{wait} is longer than {LONGEST_SETTLING.days} days")


def name_of(phase: Phase | type[Phase]) -> str:
    return str(phase.__struct_config__.tag)


PHASES: Final = tuple(map(name_of, get_args(Phase)))


class Record(msgspec.Struct, frozen=True):
    """*longest* is the longest life a leaf may have had so far: a configuration that is lowered shortens none.

    It begins with the default, as leaves are issued before anything is recorded.
    """

    phase: Phase = Resting()
    longest: timedelta = DEFAULT_LEAF

    def __post_init__(self) -> None:
        _check(self.longest)


class Start(msgspec.Struct, frozen=True, tag_field="wish", tag="start"):
    """Rotate the root; *settle* as in Preparing."""

    settle: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        _check(self.settle)


class Advance(msgspec.Struct, frozen=True, tag_field="wish", tag="advance"):
    """End the wait of the phase that *from_phase* names, and of no other."""

    from_phase: str


class Abort(msgspec.Struct, frozen=True, tag_field="wish", tag="abort"):
    """Go back to the root that issued before."""


class Garbled(msgspec.Struct, frozen=True, tag_field="wish", tag="garbled"):
    """An annotation that is none of these."""

    problem: str


Wish: TypeAlias = Start | Advance | Abort | Garbled


def record_of(secret: Json) -> Record:
    """What the Secret's annotation says; one that is absent or says nothing readable is as good as none, as the roots
    and keys tell the rest (`rotation`)."""
    try:
        return _read(secret, ROTATION, Record) or Record()
    except Invalid:
        return Record()


def wish_of(secret: Json) -> Wish | None:
    try:
        return _read(secret, WISH, cast("type[Wish]", Wish))
    except Invalid as problem:
        return Garbled(str(problem))


def recorded(secret: Json, record: Record, wish: Wish | None = None) -> Json:
    """*secret* with *record* on it, and with *wish* or none."""
    whole = cast("dict[str, Json]", secret)
    metadata = cast("dict[str, Json]", whole["metadata"])
    kept = {key: value for key, value in _annotations(secret).items() if key not in (ROTATION, WISH)}
    asked = {} if wish is None else {WISH: written(wish)}
    return {**whole, "metadata": {**metadata, "annotations": {**kept, **asked, ROTATION: written(record)}}}


def written(value: Record | Wish) -> str:
    return msgspec.json.encode(value).decode()


def _read(secret: Json, name: str, kind: type[_T]) -> _T | None:
    text = _annotations(secret).get(name)
    if text is None:
        return None
    try:
        return msgspec.json.decode(str(text), type=kind)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Invalid(f"metadata.annotations.{name}", shown(text), "what `proa ca rotate` writes") from error


def _annotations(secret: Json) -> Mapping[str, Json]:
    match secret:
        case {"metadata": {"annotations": dict() as found}}:
            return found
        case _:
            return {}
