"""JSON Patch operations (RFC 6902), those that are used here, and JSON Pointers (RFC 6901). Pure."""

from typing import TypeAlias

import msgspec


class Add(msgspec.Struct, frozen=True, tag_field="op", tag="add"):
    """Sets a member, or inserts an item into a list; *path* is a JSON Pointer."""

    path: str
    value: msgspec.Raw


class Remove(msgspec.Struct, frozen=True, tag_field="op", tag="remove"):
    """Takes a member or an item away, which must be there."""

    path: str


Operation: TypeAlias = Add | Remove


def encoded(value: object) -> msgspec.Raw:
    """JSON that stands in other JSON as it is."""
    return msgspec.Raw(msgspec.json.encode(value))


def pointer(*tokens: str) -> str:
    """The JSON Pointer to *tokens* (RFC 6901 §3: `~` becomes `~0` before `/` becomes `~1`)."""
    return "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for token in tokens)


def pointed(path: str) -> tuple[str, ...]:
    """The tokens of a JSON Pointer: the inverse of `pointer`."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:])
