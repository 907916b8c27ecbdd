"""Partial pods are laid over pods as Kubernetes itself does it: kubectl's strategic merge, which needs no API server,
and the merge keys that the API server publishes.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from proa.merging import POD, Listed, Merging, within
from proa.overlay import bare, overlay
from support.kubectl import Kubectl
from support.partials import PARTIAL, WHOLE

pytestmark = pytest.mark.at_any_time

POD_KIND = {"apiVersion": "v1", "kind": "Pod"}


def merged_by_kubernetes(kubectl: Kubectl, pod: Any, partial: Any) -> Any:
    patch = f"--patch={json.dumps(partial)}"
    whole = {**POD_KIND, **pod, "metadata": {"name": "web", **pod.get("metadata", {})}}
    arguments = ("patch", "--local", "--type=strategic", "--filename=-", "--output=json", patch)
    result = json.loads(kubectl(*arguments, given=whole))
    del result["apiVersion"], result["kind"], result["metadata"]["name"]
    return result


def unordered(value: Any, merging: Listed | Merging | None = POD) -> Any:
    """*value*, lists that merge by a key sorted by it: their order means nothing to a merge."""
    if isinstance(value, dict):
        return {key: unordered(each, within(merging).get(key)) for key, each in value.items()}
    if isinstance(value, list) and isinstance(merging, Listed):
        items = [{key: unordered(each, merging.inside.get(key)) for key, each in item.items()} for item in value]
        return sorted(items, key=lambda item: str(item[merging.key]))
    return value


def expected(pod: Any, partial: Any) -> Any:
    merged: Any = overlay({**pod, "metadata": pod.get("metadata", {})}, partial)
    return unordered(merged)


@pytest.mark.parametrize(
    "partial",
    [
        {"spec": {"containers": [{"name": "app", "image": "b", "args": ["-q"], "env": [{"name": "B", "value": "2"}]}]}},
        {"spec": {"containers": [{"name": "app", "$patch": "delete"}, {"name": "new", "image": "c"}]}},
        {"spec": {"containers": [{"name": "app", "env": [{"$patch": "replace"}, {"name": "B", "value": "2"}]}]}},
        {"spec": {"containers": [{"name": "app", "$deleteFromPrimitiveList/args": ["-v"]}]}},
        {"spec": {"volumes": [{"name": "data", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}},
        {"spec": {"volumes": [{"name": "data", "emptyDir": None, "hostPath": {"path": "/x"}}]}},
        {"spec": {"nodeSelector": {"$patch": "replace", "disk": "ssd"}, "tolerations": [{"key": "b"}]}},
        {"metadata": {"labels": {"app": None, "tier": "web"}}},
    ],
)
def test_a_partial_pod_is_merged_as_kubernetes_does(kubectl: Kubectl, partial: Any) -> None:
    app = {"name": "app", "image": "a", "args": ["-v", "-x"], "env": [{"name": "A", "value": "1"}]}
    spec = {
        "containers": [app],
        "volumes": [{"name": "data", "emptyDir": {}}],
        "nodeSelector": {"zone": "a"},
        "tolerations": [{"key": "a"}],
    }
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": spec}
    assert unordered(bare(merged_by_kubernetes(kubectl, pod, partial))) == expected(pod, partial)


@pytest.mark.timeout(900, func_only=True)  # a hundred and fifty processes, each of which waits for everybody else's
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WHOLE, PARTIAL)
def test_any_partial_pod_is_merged_as_kubernetes_does(kubectl: Kubectl, pod: Any, partial: Any) -> None:
    assert unordered(bare(merged_by_kubernetes(kubectl, pod, partial))) == expected(pod, partial)


def test_the_merge_keys_are_those_that_the_api_server_publishes(kubectl: Kubectl) -> None:
    schemas = json.loads(kubectl("get", "--raw=/openapi/v3/api/v1"))["components"]["schemas"]
    published = dict(keys_published(schemas, "io.k8s.api.core.v1.PodSpec"))
    # What a claim template's metadata may hold is not merged here: a template sets it as a whole.
    published = {path: key for path, key in published.items() if "volumeClaimTemplate" not in path}
    assert dict(keys_used(within(POD["spec"]))) == published


def keys_published(schemas: Any, name: str, path: str = "") -> Iterator[tuple[str, str]]:
    for member, schema in schemas[name].get("properties", {}).items():
        if "merge" in schema.get("x-kubernetes-patch-strategy", ""):
            yield f"{path}{member}", schema.get("x-kubernetes-patch-merge-key", "")
        for each in (schema, schema.get("items", {})):
            for reference in (each.get("$ref"), *(part.get("$ref") for part in each.get("allOf", ()))):
                if reference and "JSONSchemaProps" not in reference:
                    yield from keys_published(schemas, reference.rpartition("/")[2], f"{path}{member}.")


def keys_used(merging: Merging, path: str = "") -> Iterator[tuple[str, str]]:
    for member, how in merging.items():
        if isinstance(how, Listed):
            yield f"{path}{member}", how.key
        yield from keys_used(within(how), f"{path}{member}.")
