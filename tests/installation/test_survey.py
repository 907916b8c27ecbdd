from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.rights import INSTALLING, Right, rights
from installation.survey import Release, entries, namespace, node, release
from installation.trees import listed, member, number, text, texts
from kube.resources import CONFIG_MAPS, NAMESPACES
from webhook.registration import Revision, registration


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v1.37.2", Release(1, 37)),
        ("1.37+", Release(1, 37)),
        ("v1.40.0-eks-1234", Release(1, 40)),
        ("6.18.5-cloud-amd64", Release(6, 18)),
        ("5.10.0", Release(5, 10)),
        ("", Release(0, 0)),
        ("nonsense", Release(0, 0)),
    ],
)
def test_versions_are_compared_by_major_and_minor(version: str, expected: Release) -> None:
    assert release(version) == expected


def test_newer_releases_are_greater_whatever_their_digits_are() -> None:
    assert release("v1.9.0") < release("v1.37.0") < release("v2.0.0")


def test_a_node_is_what_its_kubelet_reports() -> None:
    found = node(
        {
            "metadata": {"name": "one"},
            "status": {
                "nodeInfo": {"kernelVersion": "6.1", "kubeletVersion": "v1.37.0", "operatingSystem": "linux"},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
    )
    assert (found.name, found.ready, found.system, found.kernel, found.kubelet) == (
        "one",
        True,
        "linux",
        "6.1",
        "v1.37.0",
    )


def test_when_a_namespace_was_labelled_is_read_off_its_managed_fields() -> None:
    def managed(time: str, label: str) -> Any:
        return {"manager": "kubectl", "time": time, "fieldsV1": {"f:metadata": {"f:labels": {f"f:{label}": {}}}}}

    fields = [managed("2026-11-02T00:00:00Z", "proa.dev/inject"), managed("2026-11-03T00:00:00Z", "other")]
    found = namespace({"metadata": {"name": "shop", "managedFields": fields}})
    assert found.labelled == "2026-11-02T00:00:00Z"
    assert namespace({"metadata": {"name": "shop"}}).labelled == ""


def test_of_a_webhook_configuration_only_what_is_asked_about_pods_counts() -> None:
    ours: Any = registration(Revision("blue"))
    assert {each.service for each in entries(ours)} == {"proa-system/proa-webhook-blue"}
    ours["webhooks"][0]["rules"][0]["operations"] = ["UPDATE"]
    ours["webhooks"][1]["rules"][0]["resources"] = ["deployments"]
    ours["webhooks"][2]["rules"][0]["resources"] = ["*"]
    assert len(entries(ours)) == len(ours["webhooks"]) - 2


def test_the_rights_of_a_command_are_each_asked_for_once() -> None:
    objects: Any = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "a"}} for name in "xy"
    ]
    objects.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})
    assert rights(objects, ("get",)) == (Right("get", CONFIG_MAPS, "a"), Right("get", NAMESPACES))
    assert len(rights(objects, INSTALLING)) == 2 * len(INSTALLING)
    assert Right("get", CONFIG_MAPS, "a").place == "configmaps in namespace a"


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner),
)


@given(JSON, st.lists(st.sampled_from(["a", "b"]), max_size=3))
def test_looking_into_any_object_finds_a_value_of_the_shape_that_was_asked_for(value: Any, path: list[str]) -> None:
    found = member(value, *path)
    assert text(value, *path) == (found if isinstance(found, str) else "")
    assert listed(value, *path) == (found if isinstance(found, list) else [])
    assert number(value, *path) == (found if type(found) is int else 0)
    expected = {key: each for key, each in found.items() if isinstance(each, str)} if isinstance(found, dict) else {}
    assert texts(value, *path) == expected
