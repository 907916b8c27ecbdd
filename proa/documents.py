"""YAML documents as trees that are read, looked into and written again with every scalar's own text and style. Pure.

What a plain scalar means follows sigs.k8s.io/yaml, by which Kubernetes reads manifests: YAML 1.1's booleans, but no
timestamps and no numbers of base 60. Nothing is turned into a value and back: `0777` and `1e3` leave as they came.
"""

import json
import re
from collections.abc import Iterable
from typing import Final, TypeAlias, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from proa.errors import Invalid, shown
from proa.json import Json

Members: TypeAlias = dict[str, tuple[Node, Node]]
"""A mapping's pairs of key and value, by the key's text."""

_DEEPEST: Final = 200
"""Kubernetes' own objects nest less than 30 deep; libyaml's composer overruns the stack at some thousands."""
_LARGEST: Final = 2_000_000
"""Nodes of a document with its aliases written out: a few lines of aliases can stand for billions."""
_LONGEST_NUMBER: Final = 400
"""Characters of a whole number: Python reads and writes longer ones in quadratic time, and soon not at all."""
_NAMELESS: Final = re.compile(r' in "<(?:unicode|byte) string>",')
_UNLIMITED: Final = 2**31 - 1
_TAG: Final = "tag:yaml.org,2002:"
_NULL, _BOOL, _INT, _FLOAT, _MERGE = (f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "merge"))
_BOOLEANS: Final = {
    "y": True,
    "yes": True,
    "true": True,
    "on": True,
    "n": False,
    "no": False,
    "false": False,
    "off": False,
}
_SCALARS: Final = (
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_BOOL, r"[yYnN]|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", list("yYnNtTfFoO")),
    (_INT, r"[-+]?(0b[01_]+|0[oO]?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)", list("-+0123456789")),
    (_FLOAT, r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+0123456789.")),
    (_FLOAT, r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
    (_MERGE, r"<<", ["<"]),
)


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """The scalars by their first character, as PyYAML looks them up."""
    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, pattern, characters in _SCALARS:
        for character in characters:
            resolvers.setdefault(character, []).append((tag, re.compile(rf"(?:{pattern})\Z")))
    return resolvers


class _Scalars(yaml.resolver.BaseResolver):
    """What a plain scalar is, in reading as in writing: so exactly what would be read otherwise is quoted."""

    yaml_implicit_resolvers = _resolvers()


class _Loader(_Scalars, yaml.CSafeLoader):
    """libyaml's parser with Kubernetes' scalars."""


class _Dumper(_Scalars, yaml.CSafeDumper):
    """libyaml's emitter with Kubernetes' scalars."""


def read(stream: str | bytes) -> tuple[Node, ...]:
    """The documents of a YAML stream (JSON is YAML too), the empty ones left out. Raises Invalid."""
    try:
        _check_nesting(stream)
        documents = tuple(yaml.compose_all(stream, Loader=_Loader))
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        # Of the second: a text with half a surrogate pair, which has no bytes that libyaml could read.
        raise Invalid(
            "the stream", _NAMELESS.sub(" at", " ".join(str(error).split())), "YAML or JSON documents"
        ) from error
    for document in documents:
        _check_extent(document, {})
    return tuple(document for document in documents if document.tag != _NULL)


def as_yaml(documents: Iterable[Node]) -> str:
    # pyright: ignore below, as the stubs leave the nodes untyped.
    return yaml.serialize_all(documents, Dumper=_Dumper, width=_UNLIMITED, allow_unicode=True)  # pyright: ignore[reportUnknownMemberType]


def as_json(documents: Iterable[Node]) -> str:
    """The documents one after the other, as kubectl and jq read them. Raises Invalid for what JSON cannot hold."""
    return "".join(f"{json.dumps(plain(document), indent=2, ensure_ascii=False)}\n" for document in documents)


def plain(node: Node) -> Json:
    """The JSON value that Kubernetes would make of *node*. Raises Invalid where it is none."""
    match node:
        case MappingNode():
            return {key: plain(value) for key, (_, value) in members(node).items()}
        case SequenceNode():
            return [plain(item) for item in items(node)]
        case _:
            return _scalar(node)


def node_of(value: Json) -> Node:
    """*value* as new nodes in block style; the writer turns nodes that stand in two places into aliases."""
    # pyright: ignore below, as the stubs leave the data untyped.
    return yaml.representer.SafeRepresenter(sort_keys=False).represent_data(value)  # pyright: ignore[reportUnknownMemberType]


def items(node: SequenceNode) -> list[Node]:
    return cast("list[Node]", node.value)


def members(node: MappingNode) -> Members:
    """The pairs of *node*, merge keys (`<<`) resolved: what stands in the mapping itself wins over what is merged."""
    merged: Members = {}
    own: Members = {}
    for key, value in cast("list[tuple[Node, Node]]", node.value):
        if key.tag == _MERGE:
            merged = {**_merged(value), **merged}
            continue
        text = _key(key)
        if text in own:
            raise Invalid(_line(key), f"the key {text!r} a second time", "each key once")
        own[text] = key, value
    return {**merged, **own}


def at(node: Node, *path: str) -> Node | None:
    """What stands at *path* below *node*; None where nothing (or null) does."""
    for key in path:
        if not isinstance(node, MappingNode) or key not in (found := members(node)):
            return None
        node = found[key][1]
    return None if node.tag == _NULL else node


def text_at(node: Node, *path: str) -> str:
    """The scalar at *path*, empty where there is none."""
    found = at(node, *path)
    return cast("str", found.value) if isinstance(found, ScalarNode) else ""


def _merged(value: Node) -> Members:
    """What a merge key brings: one mapping, or several of which the first wins (yaml.org/type/merge)."""
    sources = items(value) if isinstance(value, SequenceNode) else [value]
    merged: Members = {}
    for source in sources:
        if not isinstance(source, MappingNode):
            raise Invalid(_line(source), "a merge of something else", "a mapping, or a list of mappings")
        merged = {**members(source), **merged}
    return merged


def _key(node: Node) -> str:
    """JSON's keys are strings: Kubernetes writes numbers and booleans out."""
    value = _scalar(node) if isinstance(node, ScalarNode) else None
    if value is None:
        raise Invalid(_line(node), "a key that is null or a collection", "a string as key")
    return value if isinstance(value, str) else json.dumps(value)


def _scalar(node: Node) -> Json:
    text = cast("str", node.value)
    try:
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return _BOOLEANS[text.lower()]
        if node.tag == _INT:
            return _integer(text.replace("_", ""))
        if node.tag == _FLOAT:
            # Infinity and NaN are numbers of YAML, not of JSON.
            return cast("float", json.loads(repr(float(text.replace("_", ""))), parse_constant=_not_json))
    except (ValueError, KeyError) as error:
        raise Invalid(_line(node), shown(text), f"a JSON {node.tag.removeprefix(_TAG)}") from error
    return text


def _integer(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(text)
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return int(text, 8)
    return int(text, 0)


def _not_json(constant: str) -> None:
    raise ValueError(constant)


def _check_nesting(stream: str | bytes) -> None:
    depth = 0
    for event in yaml.parse(stream, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise Invalid("the stream", f"more than {_DEEPEST} levels", f"at most {_DEEPEST} levels of nesting")


def _check_extent(node: Node, known: dict[int, int]) -> int:
    """The nodes below *node*, aliases written out. An alias stands behind its anchor, or inside it: in a circle."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = _LARGEST
    match node:
        case MappingNode():
            below = [part for pair in cast("list[tuple[Node, Node]]", node.value) for part in pair]
        case SequenceNode():
            below = items(node)
        case _:
            below = []
    known[id(node)] = 1 + sum(_check_extent(part, known) for part in below)
    if known[id(node)] > _LARGEST:
        raise Invalid(_line(node), "aliases in a circle, or too many", f"at most {_LARGEST} values a document")
    return known[id(node)]


def _line(node: Node) -> str:
    return f"line {node.start_mark.line + 1}"
