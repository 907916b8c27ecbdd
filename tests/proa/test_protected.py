"""Whatever may be laid over Proa's own containers, they keep what identity and interception rest on."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.merging import CONTAINER
from proa.overlay import overlay
from proa.protected import container_problems

CONTEXTS: Final[dict[str, dict[str, Any]]] = {
    names.PROXY_CONTAINER: {"runAsUser": 1337, "runAsGroup": 1337, "runAsNonRoot": True},
    names.INIT_CONTAINER: {
        "runAsUser": 0,
        "runAsNonRoot": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
    },
}


def made(name: str) -> dict[str, Any]:
    """One of Proa's containers, with what is nobody else's to change."""
    return {
        "name": name,
        "image": "proa:1",
        "command": ["it"],
        "env": [{"name": "POD_NAME", "value": "x"}],
        "volumeMounts": [{"name": names.IDENTITY_VOLUME, "mountPath": names.IDENTITY_DIRECTORY}],
        "ports": [{"containerPort": names.METRICS_PORT}],
        "securityContext": CONTEXTS[name],
    }


def _directed(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A mapping of some *members*, one in two with a directive."""
    some = st.fixed_dictionaries({}, optional=members)
    lists = {f"$deleteFromPrimitiveList/{key}": st.just(["NET_ADMIN"]) for key in members}
    directives = {"$patch": st.sampled_from(["delete", "replace"]), "$retainKeys": st.just([*members]), **lists}
    any_directive = st.sampled_from([*directives]).flatmap(lambda key: directives[key].map(lambda value: {key: value}))
    return st.tuples(some, st.just({}) | any_directive).map(lambda both: both[0] | both[1])


def _items(key: str, keys: st.SearchStrategy[Any], **members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    item = st.fixed_dictionaries({key: keys}, optional={**members, "$patch": st.sampled_from(["delete", "replace"])})
    return st.none() | st.lists(item | st.just({"$patch": "replace"}), max_size=2)


CAPABILITIES: Final = st.none() | st.lists(st.sampled_from(["ALL", "NET_ADMIN", "NET_RAW"]), max_size=2)
IDS: Final = st.sampled_from([0, 1337, 1337.0, 5, None, True, "0"])
PARTIALS: Final = _directed(
    image=st.sampled_from(["x", "", None]),
    command=st.none() | st.just(["x"]),
    env=_items("name", st.sampled_from(["POD_NAME", "X"]), value=st.just("y")),
    volumeMounts=_items("mountPath", st.sampled_from([names.IDENTITY_DIRECTORY, "/x"]), name=st.just("y")),
    ports=_items("containerPort", st.sampled_from([names.METRICS_PORT, 1]), name=st.just("y")),
    securityContext=st.none()
    | _directed(
        runAsUser=IDS,
        runAsGroup=IDS,
        runAsNonRoot=st.none() | st.booleans(),
        capabilities=st.none() | _directed(add=CAPABILITIES, drop=CAPABILITIES),
    ),
)


@given(st.sampled_from([*CONTEXTS]), PARTIALS)
def test_what_may_be_laid_over_them_leaves_what_they_rest_on(name: str, partial: dict[str, Any]) -> None:
    template = {**partial, "name": name}
    if any(container_problems(template, "")) or partial.get("$patch") == "delete":
        return
    before, after = made(name), overlay(made(name), template, CONTAINER)
    assert isinstance(after, dict)
    assert after["image"]
    assert after["command"] == before["command"]
    assert before["volumeMounts"][0] in after["volumeMounts"]
    assert before["ports"][0] in after["ports"]
    context = after["securityContext"]
    if name == names.PROXY_CONTAINER:
        assert before["env"][0] in after["env"]
        assert (context["runAsUser"], context["runAsGroup"]) == (1337, 1337)
    else:
        assert (context["runAsUser"], context["runAsNonRoot"]) == (0, False)
        assert "NET_ADMIN" in context["capabilities"]["add"]
        assert "NET_ADMIN" not in context["capabilities"].get("drop", [])


@pytest.mark.parametrize(
    ("name", "members", "field"),
    [
        ("proa-proxy", {"securityContext": {"$patch": "delete"}}, "securityContext"),
        ("proa-init", {"securityContext": {"$patch": "delete"}}, "securityContext"),
        ("proa-init", {"securityContext": {"capabilities": {"$patch": "delete"}}}, "securityContext.capabilities"),
        ("proa-init", {"securityContext": {"capabilities": {"drop": ["NET_ADMIN"]}}}, "securityContext.capabilities"),
        (
            "proa-init",
            {"securityContext": {"capabilities": {"$deleteFromPrimitiveList/add": ["NET_ADMIN"]}}},
            "securityContext.capabilities",
        ),
        ("proa-init", {"securityContext": {"runAsNonRoot": True}}, "securityContext.runAsNonRoot"),
        ("proa-proxy", {"image": None}, "image"),
        ("proa-proxy", {"image": ""}, "image"),
    ],
)
def test_a_directive_takes_no_more_away_than_a_null(name: str, members: Any, field: str) -> None:
    found = [problem.field for problem in container_problems({"name": name, **members}, "")]
    assert found == [f".{field}"]


def test_a_template_may_still_change_single_members_and_items_of_them() -> None:
    proxy = {"securityContext": {"readOnlyRootFilesystem": False, "capabilities": {"$patch": "delete"}}}
    init = {"securityContext": {"privileged": True, "capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}}}
    own = ({"name": "proa-proxy", **proxy}, {"name": "proa-init", **init})
    assert not any(any(container_problems(each, "")) for each in own)
