"""A pod of a later Kubernetes: what it says in fields that Proa has never heard of comes back as it went."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webhook.review import Response

LATER = "laterField"


def extended(value: Any, addition: Any) -> Any:
    """*value* with a field that nobody knows in each of its objects that is not a mapping of free keys."""
    match value:
        case dict():
            inner = {key: extended(item, addition) for key, item in value.items() if key not in FREE}
            return inner | {key: value[key] for key in FREE & value.keys()} | {LATER: addition}
        case list():
            return [extended(item, addition) for item in value]
        case _:
            return value


FREE = {"labels", "annotations", "nodeSelector", "requests", "limits"}
POD: Any = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web",
        "labels": {"app": "web"},
        "annotations": {"note": "x"},
        "ownerReferences": [{"uid": "1"}],
    },
    "spec": {
        "securityContext": {"fsGroup": 1, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [{"name": "first", "image": "i", "env": [{"name": "A", "valueFrom": {"fieldRef": {}}}]}],
        "containers": [
            {
                "name": "app",
                "image": "web:1",
                "ports": [{"name": "http", "containerPort": 8080}],
                "resources": {"requests": {"cpu": "1"}, "claims": [{"name": "c"}]},
                "securityContext": {"runAsUser": 1, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 5},
                "lifecycle": {"preStop": {"sleep": {"seconds": 1}}, "stopSignal": "SIGUSR1"},
            }
        ],
        "volumes": [{"name": "data", "emptyDir": {}}],
        "tolerations": [{"operator": "Exists"}],
        "overhead": {"cpu": "1"},
    },
}


def laters(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every unknown field with the names of the objects that lead to it: items of lists by name, not by place."""
    match value:
        case dict():
            for key, item in value.items():
                if key == LATER:
                    yield path, item
                else:
                    yield from laters(item, (*path, key))
        case list():
            for number, item in enumerate(value):
                named = item.get("name", number) if isinstance(item, dict) else number
                yield from laters(item, (*path, named))
        case _:
            return


@given(data=st.data())
def test_fields_that_a_later_kubernetes_adds_anywhere_pass_through_untouched(
    data: st.DataObject,
    any_json: st.SearchStrategy[Any],
    review_of: Callable[..., bytes],
    answer: Callable[..., Response],
    patched: Callable[..., Any],
) -> None:
    pod = extended(POD, data.draw(any_json))
    before = copy.deepcopy(pod)
    after = patched(pod, answer(review_of(pod)))
    assert len(after["spec"]["initContainers"]) > len(before["spec"]["initContainers"]), "it was injected"
    assert dict(laters(after)) == dict(laters(before))
