"""A section of a configuration document, read member by member so that every mistake is told at once. Pure.

The section's own type says what may stand where; its words for people are the `description` of a field's Meta.
"""

import re
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Final, TypeVar, cast

import msgspec
from msgspec import inspect

from proa.errors import Invalid, Problems, shown
from proa.json import Json

_SUBJECT: Final = "the section"


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What every section of a document has in common: keys in camelCase, and none that it does not know."""

    def __hash__(self) -> int:
        """Of its own members alone: a configuration is looked up for every pod, and few differ in a section's only."""
        return hash(tuple(filter(_is_own, msgspec.structs.astuple(self))))


def _is_own(value: object) -> bool:
    return not isinstance(value, dict | Section)


_S = TypeVar("_S", bound=Section)


def section(kind: type[_S], raw: Json) -> _S:
    """A *kind* from *raw*. Raises Refused with everything that is wrong, each by its path below *raw*."""
    problems = Problems()
    with problems.collected():
        return cast("_S", _struct(_schema(kind), raw))
    raise problems.refusal(_SUBJECT)


@cache
def _schema(kind: type[Section]) -> inspect.StructType:
    """As msgspec sees them, which looks at every annotation anew each time: milliseconds."""
    return cast("inspect.StructType", inspect.type_info(kind))


def _value(kind: inspect.Type, raw: Json, words: str = "text") -> object:
    match kind:
        case inspect.Metadata(type=inner):
            # pyright: ignore, as msgspec leaves the schema untyped.
            schema = cast("dict[str, str] | None", kind.extra_json_schema) or {}  # pyright: ignore[reportUnknownMemberType]
            return _value(inner, raw, schema.get("description", words))
        case inspect.StrType(pattern=pattern):
            return _text(pattern, raw, words)
        case inspect.IntType(ge=least, le=most):
            return _number(least, most, raw)
        case inspect.EnumType(cls=choices):
            return _choice(choices, raw)
        case _:
            return _collection(kind, raw)


def _collection(kind: inspect.Type, raw: Json) -> object:
    match kind:
        case inspect.StructType():
            return _struct(kind, raw)
        case inspect.UnionType(types=kinds):
            if raw is None and kind.includes_none:
                return None
            return _variant([each for each in kinds if isinstance(each, inspect.StructType)], raw)
        case inspect.DictType(key_type=keys, value_type=values):
            return _mapping(keys, values, raw)
        case inspect.VarTupleType(item_type=item):
            return _list(item, raw)
        case inspect.AnyType():
            return raw
        case _:
            raise TypeError(f"a section of a {kind}: nobody reads it yet")


def _struct(kind: inspect.StructType, raw: Json) -> object:
    members, known = _members(raw), {field.encode_name: field for field in kind.fields}
    allowed = [kind.tag_field, *known] if kind.tag_field else [*known]
    problems = Problems()
    problems.add(Invalid(key or "''", "an unknown key", ", ".join(allowed)) for key in members if key not in allowed)
    values: dict[str, object] = {}
    for key, field in known.items():
        if key in members:
            with problems.collected(key):
                values[field.name] = _value(field.type, members[key])
    lacking = [field.encode_name for field in kind.fields if field.required and field.name not in values]
    problems.add(Invalid(key, "nothing", "a value: it is required") for key in lacking if key not in members)
    if lacking:
        raise problems.refusal(_SUBJECT)
    with problems.collected():
        # Made of what is right even if something is wrong: its own checks may find more.
        value = cast("Callable[..., object]", kind.cls)(**values)
        if not problems:
            return value
    raise problems.refusal(_SUBJECT)


def _variant(kinds: list[inspect.StructType], raw: Json) -> object:
    """One of several sections, told apart by a member; a section that may be absent is the only one."""
    if len(kinds) == 1:
        return _struct(kinds[0], raw)
    members, tag = _members(raw), kinds[0].tag_field or ""
    by_tag = {str(kind.tag): kind for kind in kinds}
    chosen = members.get(tag)
    if not isinstance(chosen, str) or chosen not in by_tag:
        raise Invalid(tag, shown(chosen), ", ".join(by_tag))
    return _struct(by_tag[chosen], raw)


def _members(raw: Json) -> dict[str, Json]:
    if not isinstance(raw, dict):
        raise Invalid("", shown(raw), "a mapping")
    return raw


def _choice(kind: type[Enum], raw: Json) -> Enum:
    choices: dict[object, Enum] = {choice.value: choice for choice in kind}
    # YAML 1.1 reads a bare `off` as false: what the user wrote is taken, not what the parser made of it.
    text = "off" if raw is False else raw
    if not isinstance(text, str) or text not in choices:
        raise Invalid("", shown(raw), ", ".join(map(str, choices)))
    return choices[text]


def _mapping(keys: inspect.Type, values: inspect.Type, raw: Json) -> dict[object, object]:
    problems = Problems()
    read: dict[object, object] = {}
    for key, value in _members(raw).items():
        with problems.collected(key):
            read[_value(keys, key)] = _value(values, value)
    problems.refuse(_SUBJECT)
    return read


def _list(item: inspect.Type, raw: Json) -> tuple[object, ...]:
    if not isinstance(raw, list):
        raise Invalid("", shown(raw), "a list")
    problems = Problems()
    read: list[object] = []
    for number, value in enumerate(raw):
        with problems.collected(str(number)):
            read.append(_value(item, value))
    problems.refuse(_SUBJECT)
    return tuple(read)


def _number(least: int | None, most: int | None, raw: Json) -> int:
    # A bool is an int to Python, and to nobody else.
    if not isinstance(raw, int) or isinstance(raw, bool) or not (least or 0) <= raw <= (most or 0):
        raise Invalid("", shown(raw), f"a whole number from {least} to {most}")
    return raw


def _text(pattern: str | None, raw: Json, words: str) -> str:
    if not isinstance(raw, str) or not re.search(pattern or "", raw):
        raise Invalid("", shown(raw), words)
    return raw
