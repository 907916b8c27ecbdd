"""The record of an injection in the pod's annotation `proa.dev/status`: what was added, and what undoes it. Pure."""

from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec

from proa import names
from proa.errors import Invalid, shown
from webhook.decoding import decoded

_T = TypeVar("_T")
_FIELD: Final = f"metadata.annotations['{names.STATUS}']"
FORMAT: Final = 2
"""Of the record. The first one said only what was added."""


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Names of what was added; *absent* and *null* are the JSON Pointers of what was made to hold it, and of what was
    there as null; *replaced* are annotations that stood there; *probes* as `webhook.probes.Originals`.
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
    found = _decoded(text, _Version).version
    if found != FORMAT:
        raise Invalid(_FIELD, f"a record of format {shown(found)}", f"format {FORMAT}, of this version of Proa")
    return _decoded(text, Status)


def _decoded(text: str, kind: type[_T]) -> _T:
    try:
        return decoded(text.encode(), kind, "")
    except Invalid as problem:
        raise (problem.under(_FIELD) if problem.field else replace(problem, field=_FIELD)) from problem


class _Version(msgspec.Struct):
    version: int
