"""The record of an injection in the pod's annotation `proa.dev/status`: what was added, and what undoes it. Pure."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace as replaced

from proa import names
from proa.capture.annotation import ANNOTATION
from proa.errors import Invalid, shown
from proa.protected import OWN, VOLUMES
from webhook.decoding import decoded

_T = TypeVar("_T")
_FIELD: Final = f"metadata.annotations['{names.STATUS}']"
FORMAT: Final = 3
"""Of the record. The first one said only what was added."""
_READ: Final = (2, FORMAT)
"""The second one, of Proa 0.1, knew of no `containers`."""
_LONGEST: Final = 256 * 1024
"""Kubernetes' TotalAnnotationSizeLimitB, which it looks at after admission only."""
_ANNOTATIONS: Final = (names.BOOTSTRAP, names.LEAF, names.ROOTS, ANNOTATION, names.DEFAULT_CONTAINER, names.STATUS)
"""That an injection may add."""


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Names of what was added; *absent* and *null* are the JSON Pointers of what was made to hold it, and of what was
    there as null; *replaced* are annotations that stood there; *probes* as `webhook.probes.Originals`.

    Whoever writes a pod may write its record, too: what it says is believed of that pod alone, and only within what
    `owned` leaves of it.
    """

    version: int
    proa: str
    """The version that injected. The sidecar is outdated if *fingerprint*, not this, is another one's."""
    fingerprint: str
    settings: str = ""
    """A hash of what this pod asked for by its annotations; empty where it asked for nothing."""
    init_containers: tuple[str, ...]
    volumes: tuple[str, ...]
    annotations: tuple[str, ...]
    containers: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    null: tuple[str, ...] = ()
    replaced: dict[str, str] = {}
    probes: dict[str, dict[str, dict[str, dict[str, Any] | None]]] = {}
    changed: dict[str, Any] = {}
    """What templates changed in the pod's own fields, as `webhook.difference.Difference`."""


def recorded(text: str) -> Status:
    """The record in an annotation. Raises Invalid, which names the annotation, for one that cannot be undone."""
    if len(text) > _LONGEST:
        raise Invalid(_FIELD, f"{len(text)} characters", f"at most {_LONGEST}, as Kubernetes has it of all annotations")
    found = _decoded(text, _Version).version
    if found not in _READ:
        allowed = " or ".join(map(str, _READ))
        raise Invalid(_FIELD, f"a record of format {shown(found)}", f"format {allowed}, of this version of Proa")
    status = _decoded(text, Status)
    if names.STATUS not in status.annotations or names.STATUS in status.replaced:
        raise Invalid(f"{_FIELD}.annotations", "a record that would not go itself", "the record among what was added")
    return status


def owned(record: Status) -> Status:
    """*record* without the names that are not Proa's own.

    A record that somebody made up must not take out what another webhook put in: names it alone knows stay.
    """

    def ours(recorded: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in recorded if name in own)

    return replaced(
        record,
        init_containers=ours(record.init_containers, OWN),
        containers=ours(record.containers, OWN),
        volumes=ours(record.volumes, VOLUMES),
        annotations=ours(record.annotations, _ANNOTATIONS),
    )


@contextmanager
def changes_read() -> Generator[None]:
    """Around what goes by the differences of a record, which may be anything. Raises Invalid where they are none."""
    try:
        yield
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise Invalid(f"{_FIELD}.changed", "no record", "what Proa wrote") from error


def _decoded(text: str, kind: type[_T]) -> _T:
    try:
        return decoded(text.encode(), kind, "")
    except Invalid as problem:
        raise (problem.under(_FIELD) if problem.field else replace(problem, field=_FIELD)) from problem


class _Version(msgspec.Struct):
    version: int
