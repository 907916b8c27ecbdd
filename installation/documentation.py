"""Every setting of the mesh with its default and what is allowed, as comments of a YAML document. Pure.

Read from the configuration's own types, so that the text cannot lag behind them.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Final, cast

import msgspec
from msgspec import inspect

from proa.json import Json
from proa.mesh import MeshConfiguration

_INDENT: Final = "  "


@cache
def settings() -> str:
    """Lines that all begin with `#`; without that they are the document of all defaults."""
    defaults = cast("Json", msgspec.to_builtins(MeshConfiguration(), str_keys=True))
    kind = cast("inspect.StructType", inspect.type_info(MeshConfiguration))
    return "".join(f"# {line}\n" for line in _lines((kind,), defaults, ""))


def _lines(kinds: tuple[inspect.StructType, ...], value: Json, indent: str) -> Iterator[str]:
    """The members of a section, which is one of *kinds*; *value* is its default."""
    members = value if isinstance(value, dict) else {}
    tags = [str(kind.tag) for kind in kinds if kind.tag_field]
    kind = next((kind for kind in kinds if members.get(kind.tag_field or "") == kind.tag), kinds[0])
    if kind.tag_field:
        yield f"{indent}{kind.tag_field}: {kind.tag}{_beside(tags)}"
    for member in kind.fields:
        yield from _member(member, members.get(member.encode_name), indent)


def _member(member: inspect.Field, value: Json, indent: str) -> Iterator[str]:
    sections = _sections(member.type)
    if sections and value is not None:
        yield f"{indent}{member.encode_name}:"
        yield from _lines(sections, value, indent + _INDENT)
    else:
        yield f"{indent}{member.encode_name}: {_flow(value)}{_beside(_allowed(member.type))}"


def _sections(kind: inspect.Type) -> tuple[inspect.StructType, ...]:
    match kind:
        case inspect.StructType():
            return (kind,)
        case inspect.UnionType(types=types):
            return tuple(each for each in types if isinstance(each, inspect.StructType))
        case _:
            return ()


def _allowed(kind: inspect.Type) -> list[str]:
    """What may stand there, where a few words say it."""
    match kind:
        case inspect.EnumType(cls=choices):
            return [str(choice.value) for choice in choices]
        case inspect.IntType(ge=least, le=most):
            return [f"{least} to {most}"]
        case inspect.BoolType():
            return ["true", "false"]
        case _:
            return []


def _beside(allowed: list[str]) -> str:
    return f"  # {' | '.join(allowed)}" if allowed else ""


def _flow(value: Json) -> str:
    """On one line; JSON is YAML, but a name needs no quotes there."""
    match value:
        case dict():
            return f"{{{', '.join(f'{key}: {_flow(each)}' for key, each in value.items())}}}"
        case list():
            return f"[{', '.join(map(_flow, value))}]"
        case str() if value.replace("-", "").replace(".", "").replace("_", "").isalpha() and value != "off":
            return value
        case _:
            return json.dumps(value)
