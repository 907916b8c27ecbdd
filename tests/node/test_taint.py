"""The taint goes from a node, and nothing else of it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from node.taint import TAINT, lifted

OTHERS = st.lists(st.fixed_dictionaries({"key": st.sampled_from(["a/b", "node.kubernetes.io/not-ready", ""])}))


def node(taints: Any) -> Any:
    return {"metadata": {"name": "n", "resourceVersion": "7"}, "spec": {"podCIDR": "10.0.0.0/24", "taints": taints}}


@given(OTHERS, OTHERS, st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"]))
def test_other_taints_stay_in_their_order(before: list[Any], behind: list[Any], effect: str) -> None:
    patch = lifted(node([*before, {"key": TAINT, "effect": effect}, *behind]))
    assert patch == {"metadata": {"resourceVersion": "7"}, "spec": {"taints": [*before, *behind] or None}}


@given(OTHERS)
def test_a_node_without_it_is_let_be(taints: list[Any]) -> None:
    assert lifted(node(taints)) is None
    assert lifted({"metadata": {"resourceVersion": "7"}, "spec": {}}) is None
