"""Objects with a note at some of their fields: what the YAML files say in comments, beside what it is said of. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from proa.json import Json


@dataclass(frozen=True, slots=True)
class Noted:
    """*value*, with a *note* for whoever reads the file; the API server never sees it."""

    note: str
    value: "Tree"


Tree: TypeAlias = "Mapping[str, Tree] | Sequence[Tree] | str | int | float | bool | Noted | None"
"""A JSON value, any part of which may be noted."""
Fields: TypeAlias = Mapping[str, Tree]


def plain(tree: Tree) -> Json:
    """*tree* without its notes, as new dicts and lists."""
    match tree:
        case Noted():
            return plain(tree.value)
        case Mapping():
            return {key: plain(value) for key, value in tree.items()}
        case str() | int() | float() | None:
            return tree
        case _:
            return [plain(item) for item in tree]
