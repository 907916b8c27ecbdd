"""Edits of documents, as JSON Patch means them (RFC 6902). Pure.

Collections on the way are copied: what else refers to them through an alias stays as it was.
"""

from collections.abc import Sequence
from typing import cast

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from proa.documents import Members, items, members, node_of


def added(node: Node, path: Sequence[str], value: Node) -> Node:
    """*node* with *value* at *path*: a member set, an item inserted (§4.1)."""
    if not path:
        return value
    if isinstance(node, SequenceNode):
        listed, index = items(node).copy(), len(items(node)) if path[0] == "-" else int(path[0])
        if len(path) == 1:
            listed.insert(index, value)
        else:
            listed[index] = added(listed[index], path[1:], value)
        return _sequence(node, listed)
    mapping = cast("MappingNode", node)
    pairs = members(mapping)
    key, child = pairs.get(path[0], (node_of(path[0]), node))
    pairs[path[0]] = key, added(child, path[1:], value)
    return _mapping(mapping, pairs)


def removed(node: Node, path: Sequence[str]) -> Node:
    """*node* without what is at *path*, which must be there (§4.2)."""
    if isinstance(node, SequenceNode):
        listed, index = items(node).copy(), int(path[0])
        if len(path) == 1:
            del listed[index]
        else:
            listed[index] = removed(listed[index], path[1:])
        return _sequence(node, listed)
    mapping = cast("MappingNode", node)
    pairs = members(mapping)
    key, child = pairs[path[0]]
    if len(path) == 1:
        del pairs[path[0]]
    else:
        pairs[path[0]] = key, removed(child, path[1:])
    return _mapping(mapping, pairs)


def _sequence(node: SequenceNode, listed: list[Node]) -> SequenceNode:
    return SequenceNode(node.tag, listed, node.start_mark, node.end_mark, node.flow_style)


def _mapping(node: MappingNode, pairs: Members) -> MappingNode:
    # New nodes for the keys, too: one that stands in two places would leave as an alias.
    written = [
        (ScalarNode(key.tag, key.value, style=cast("ScalarNode", key).style), each) for key, each in pairs.values()
    ]
    return MappingNode(node.tag, written, node.start_mark, node.end_mark, node.flow_style)
