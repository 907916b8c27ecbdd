"""JSON Patch operations (RFC 6902), those that are used here, and JSON Pointers (RFC 6901). Pure."""

from collections.abc import Iterable
from functools import lru_cache, reduce
from typing import Final, TypeAlias, cast

import msgspec

from proa.errors import Invalid
from proa.json import Json


class Add(msgspec.Struct, frozen=True, tag_field="op", tag="add"):
    """Sets a member, or inserts an item into a list; *path* is a JSON Pointer."""

    path: str
    value: msgspec.Raw


class Remove(msgspec.Struct, frozen=True, tag_field="op", tag="remove"):
    """Takes a member or an item away, which must be there."""

    path: str


Operation: TypeAlias = Add | Remove
_SHARED: Final = 32_768
"""Bytes of a value: longer ones are not kept for another pod."""


def encoded(value: object) -> msgspec.Raw:
    """JSON that stands in other JSON as it is."""
    return msgspec.Raw(msgspec.json.encode(value))


def pointer(*tokens: str) -> str:
    """The JSON Pointer to *tokens* (RFC 6901 §3: `~` becomes `~0` before `/` becomes `~1`)."""
    return "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for token in tokens)


def pointed(path: str) -> tuple[str, ...]:
    """The tokens of a JSON Pointer: the inverse of `pointer`."""
    tokens = path.split("/")[1:]
    if "~" not in path:
        return tuple(tokens)
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def applied(value: Json, operations: Iterable[Operation]) -> Json:
    """*value* after *operations*: what they do not touch is the same object as before, and *value* stays as it is.

    Raises Invalid, which names the path, for an operation that does not fit: what goes must be there, and so must
    what is to hold what is added (RFC 6902 §4).
    """
    return reduce(_applied, operations, value)


def _applied(value: Json, operation: Operation) -> Json:
    try:
        return _edited(value, pointed(operation.path), operation)
    except (KeyError, IndexError, ValueError) as error:
        found = f"an operation for what is not there ({type(operation).__name__.lower()})"
        raise Invalid(operation.path, found, "a place in the object") from error


def _edited(value: Json, path: tuple[str, ...], operation: Operation) -> Json:
    match value:
        case _ if not path:
            return _value(operation)
        case dict():
            return _members_edited(value, path, operation)
        case list():
            return _items_edited(value, path, operation)
        case _:
            raise KeyError(path[0])


def _members_edited(members: dict[str, Json], path: tuple[str, ...], operation: Operation) -> Json:
    key, *rest = path
    if isinstance(operation, Add) and not rest:
        return {**members, key: _value(operation)}
    below = members[key]
    if not rest:
        return {name: each for name, each in members.items() if name != key}
    return {**members, key: _edited(below, path[1:], operation)}


def _items_edited(items: list[Json], path: tuple[str, ...], operation: Operation) -> Json:
    key, *rest = path
    if isinstance(operation, Add) and not rest:
        index = len(items) if key == "-" else _index(key, len(items) + 1)
        return [*items[:index], _value(operation), *items[index:]]
    index = _index(key, len(items))
    changed = [_edited(items[index], path[1:], operation)] if rest else []
    return [*items[:index], *changed, *items[index + 1 :]]


def _index(digits: str, end: int) -> int:
    """RFC 6901 §4: digits without a leading zero."""
    if not (digits.isascii() and digits.isdigit()) or digits != str(int(digits)) or int(digits) >= end:
        raise IndexError(digits)
    return int(digits)


def _value(operation: Operation) -> Json:
    if isinstance(operation, Remove):
        raise KeyError("the whole")
    raw = bytes(operation.value)
    return _decoded(raw) if len(raw) <= _SHARED else cast("Json", msgspec.json.decode(raw))


@lru_cache(maxsize=128)
def _decoded(raw: bytes) -> Json:
    """What is added to one pod is added to the next; nobody changes in place what was read."""
    return cast("Json", msgspec.json.decode(raw))
