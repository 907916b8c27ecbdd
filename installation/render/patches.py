"""What makes one object into another: a JSON Patch (RFC 6902) that people can read, with notes. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from installation.noted import Noted, Tree, plain


def operations(before: Tree, after: Tree, path: str = "") -> Iterator[Tree]:
    """Lists of one length are compared item by item, others replaced whole."""
    old, new = _bare(before), _bare(after)
    match old, new:
        case Mapping(), Mapping():
            yield from _members(old, new, path)
        case str(), _:
            yield from _replaced(old, after, path)
        case Sequence(), Sequence() if len(old) == len(new) and not isinstance(new, str):
            for number, (here, there) in enumerate(zip(old, new, strict=True)):
                yield from operations(here, there, f"{path}/{number}")
        case _:
            yield from _replaced(old, after, path)


def _members(old: Mapping[str, Tree], new: Mapping[str, Tree], path: str) -> Iterator[Tree]:
    for key in sorted(old.keys() - new.keys()):
        yield {"op": "remove", "path": f"{path}/{_escaped(key)}"}
    for key, value in new.items():
        if key in old:
            yield from operations(old[key], value, f"{path}/{_escaped(key)}")
        else:
            yield _operation("add", f"{path}/{_escaped(key)}", value)


def _replaced(old: Tree, after: Tree, path: str) -> Iterator[Tree]:
    if plain(old) != plain(after):
        yield _operation("replace", path, after)


def _operation(name: str, path: str, value: Tree) -> Tree:
    operation = {"op": name, "path": path, "value": _bare(value)}
    return Noted(value.note, operation) if isinstance(value, Noted) else operation


def _bare(tree: Tree) -> Tree:
    """*tree* without a note of its own; what is inside keeps its notes."""
    return _bare(tree.value) if isinstance(tree, Noted) else tree


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
