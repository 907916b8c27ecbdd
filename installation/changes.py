"""What applying an object would change: what is there beside what the API server says would be (a dry run). Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, TypeAlias

from installation.trees import text
from proa.errors import shown
from proa.json import Json

_KEPT_BY_SERVER: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
"""Metadata that no user sets (meta/v1 ObjectMeta)."""
_LONGEST: Final = 100
"""Characters of a value in a line about a change."""


@dataclass(frozen=True, slots=True, order=True)
class Title:
    """What names an object to people."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A field and its values as text; empty for what is not there."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Create:
    title: Title


@dataclass(frozen=True, slots=True)
class Change:
    title: Title
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Keep:
    """It is as it should be."""

    title: Title


@dataclass(frozen=True, slots=True)
class Remove:
    title: Title


Step: TypeAlias = Create | Change | Keep | Remove


def title(raw: Json) -> Title:
    return Title(text(raw, "kind"), text(raw, "metadata", "namespace"), text(raw, "metadata", "name"))


def change(before: Json, after: Json) -> Change | Keep:
    """What makes *before* into *after*, both of one object as the API server sends it."""
    found = tuple(_differences("", _own(before), _own(after)))
    return Change(title(after), found) if found else Keep(title(after))


def _own(raw: Json) -> Json:
    """What users set of an object."""
    if not isinstance(raw, dict):
        return raw
    metadata = raw.get("metadata")
    kept = {key: value for key, value in raw.items() if key not in ("status", "metadata")}
    if isinstance(metadata, dict):
        kept["metadata"] = {key: value for key, value in metadata.items() if key not in _KEPT_BY_SERVER}
    return kept


def _differences(field: str, before: Json, after: Json) -> Iterator[Difference]:
    match before, after:
        case dict(), dict():
            for key in sorted(before.keys() | after.keys()):
                yield from _differences(_member(field, key), before.get(key), after.get(key))
        case list(), list():
            for index in range(max(len(before), len(after))):
                yield from _differences(f"{field}[{index}]", _item(before, index), _item(after, index))
        case str(), str() if before != after and ("\n" in before or "\n" in after):
            yield from _lines(field, before.splitlines(), after.splitlines())
        case _ if before != after:
            yield Difference(field, _written(before), _written(after))
        case _:
            return


def _lines(field: str, before: list[str], after: list[str]) -> Iterator[Difference]:
    """The lines that differ of a text that is a document of its own."""
    for kind, start, end, other_start, other_end in SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        if kind != "equal":
            old, new = "\n".join(before[start:end]), "\n".join(after[other_start:other_end])
            yield Difference(f"{field} line {start + 1}", _written(old or None), _written(new or None))


def _item(values: list[Json], index: int) -> Json:
    return values[index] if index < len(values) else None


def _member(field: str, key: str) -> str:
    if "." in key or "/" in key:
        return f"{field}['{key}']"
    return f"{field}.{key}" if field else key


def _written(value: Json) -> str:
    return "" if value is None else shown(value, _LONGEST)
