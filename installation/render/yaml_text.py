"""Objects as YAML that people read: block style, notes as comments above what they are about. Pure.

PyYAML writes no comments; it decides here only which scalars need quotes.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from yaml.nodes import ScalarNode, SequenceNode

from installation.noted import Noted, Tree
from proa.documents import as_yaml, items, node_of

_INDENT: Final = "  "
_WIDTH: Final = 118
_NAME: Final = re.compile(r"[A-Za-z0-9*._/:-]*")
"""What needs no quotes for being in brackets."""
_BLOCK: Final = re.compile(r"[!-~\u00a1-\u1fff][ -~\n\u00a1-\u1fff]*")
"""A text that a literal block can hold as it is (YAML 1.2 §8.1.2), and does not need to indent."""


@dataclass(frozen=True, slots=True)
class When:
    """In a template: what stands there in each case. The *cases* are pairs of a condition and what holds under it, or
    None for nothing; an empty condition is every other case, and comes last.
    """

    cases: tuple[tuple[str, "Template | None"], ...]


Template: TypeAlias = "Mapping[str, Template] | Sequence[Template] | str | int | float | bool | Noted | When | None"
"""A `Tree` whose members may differ from case to case."""


def yaml_text(objects: Iterable[Tree]) -> str:
    """A stream of the *objects*, each a mapping."""
    return "---\n".join("".join(f"{line}\n" for line in lines(each)) for each in objects)


def lines(tree: "Template", indent: str = "") -> Iterator[str]:
    """The block of *tree*, every line behind *indent*."""
    match tree:
        case Noted():
            yield from _comment(tree.note, indent)
            yield from lines(tree.value, indent)
        case Mapping() if tree:
            for key, value in tree.items():
                yield from _entry(key, value, indent)
        case str() | int() | float() | None | When() | Mapping():
            yield f"{indent}{_scalar(tree)}"
        case []:
            yield f"{indent}[]"
        case _:
            for item in tree:
                yield from _item(item, indent)


def _entry(key: str, value: "Template", indent: str) -> Iterator[str]:
    match value:
        case When(cases=cases):
            for number, (condition, each) in enumerate(cases):
                yield f"{indent}{{{{- {_branch(condition, first=number == 0)} }}}}"
                if each is not None or condition == "":
                    yield from _entry(key, each, indent)
            yield f"{indent}{{{{- end }}}}"
        case Noted():
            yield from _comment(value.note, indent)
            yield from _entry(key, value.value, indent)
        case str() if _is_block(value):
            yield f"{indent}{_scalar(key)}: {'|' if value.endswith(chr(10)) else '|-'}"
            yield from (f"{indent}{_INDENT}{line}" if line else "" for line in value.splitlines())
        case Sequence() if not isinstance(value, str) and _is_short(value, f"{indent}{key}"):
            yield f"{indent}{_scalar(key)}: [{', '.join(map(_scalar, value))}]"
        case Mapping() | Sequence() if value and not isinstance(value, str):
            yield f"{indent}{_scalar(key)}:"
            yield from lines(value, indent + _INDENT)
        case _:
            yield f"{indent}{_scalar(key)}: {_scalar(value)}"


def _item(item: "Template", indent: str) -> Iterator[str]:
    if isinstance(item, Noted):
        yield from _comment(item.note, indent)
        yield from _item(item.value, indent)
        return
    inner = list(lines(item, indent + _INDENT))
    first = next(number for number, line in enumerate(inner) if _is_content(line))
    # What stands above the first member, a comment or a condition, stands above the dash.
    yield from (line[len(_INDENT) :] for line in inner[:first])
    yield f"{indent}- {inner[first][len(indent) + len(_INDENT) :]}"
    yield from inner[first + 1 :]


def _is_content(line: str) -> bool:
    return not line.lstrip().startswith(("#", "{{-"))


def _branch(condition: str, *, first: bool) -> str:
    if first:
        return f"if {condition}"
    return f"else if {condition}" if condition else "else"


def _comment(note: str, indent: str) -> Iterator[str]:
    return (f"{indent}# {line}" for line in textwrap.wrap(note, max(_WIDTH - len(indent), 40)))


def _is_short(value: "Sequence[Template]", before: str) -> bool:
    """Whether *value* is a list of names that fits on a line."""
    names = [each for each in value if isinstance(each, str) and _NAME.fullmatch(each)]
    return 0 < len(value) == len(names) and len(before) + sum(len(name) + 2 for name in names) < _WIDTH


def _is_block(text: str) -> bool:
    ended = text.removesuffix("\n")
    return "\n" in text and not ended.endswith("\n") and _BLOCK.fullmatch(ended) is not None


def _scalar(value: object) -> str:
    """On one line, quoted where it would be read as something else."""
    match value:
        case {}:
            return "{}"
        case []:
            return "[]"
        case str() | int() | float() | None:
            listed = cast("SequenceNode", node_of([value]))
            if isinstance(value, str) and "\n" in value:
                cast("ScalarNode", items(listed)[0]).style = '"'
            return as_yaml((listed,)).removeprefix("- ").rstrip("\n")
        case _:
            raise AssertionError(f"not a scalar: {value!r}")
