import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonpatch
import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from webhook.operations import pointed, pointer
from webhook.review import Response
from webhook.sidecar import Sidecar

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.name.removesuffix(".pod.yaml") for path in GOLDEN.glob("*.pod.yaml"))
UPDATE = "PROA_UPDATE_GOLDEN"
FILES = (names.BOOTSTRAP, names.LEAF, names.ROOTS)
A_FILE_STANDS_HERE = "Envoy's configuration, which tests/webhook/test_sidecar.py compares"
A_HASH_STANDS_HERE = "changes with every change of the sidecar"


def operations(response: Response) -> Any:
    assert response.patch is not None, response.status
    return json.loads(response.patch)


def without_files(value: Any) -> Any:
    """*value* without what differs with Envoy's configuration in the annotations, wherever they stand."""
    if isinstance(value, list):
        return [without_files(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("path") in [pointer("metadata", "annotations", file) for file in FILES]:
        return value | {"value": A_FILE_STANDS_HERE}
    if value.get("path") == pointer("metadata", "annotations", names.STATUS):
        return value | {"value": without_hash(value["value"])}
    own = {key: A_FILE_STANDS_HERE for key in value if key in FILES}
    if names.STATUS in value:
        own[names.STATUS] = without_hash(value[names.STATUS])
    return {key: without_files(inner) for key, inner in value.items()} | own


def without_hash(status: str) -> str:
    return json.dumps(json.loads(status) | {"proa": "its version", "fingerprint": A_HASH_STANDS_HERE})


def without_status(pod: Any) -> Any:
    """A copy of an injected *pod* without the record, which tests/webhook/test_uninjection.py is about."""
    result = copy.deepcopy(pod)
    del result["metadata"]["annotations"][names.STATUS]
    return result


def expected(pod: Any, added: Sidecar) -> Any:
    """*pod*, which has no probes, injected: worked out by another way than a patch, and without the record."""
    result = copy.deepcopy(pod)
    result["metadata"] = result.get("metadata") or {}
    annotations = {key: json.loads(bytes(value)) for key, value in added.annotations.items()}
    annotations = {names.DEFAULT_CONTAINER: pod["spec"]["containers"][0]["name"]} | annotations
    own = {key: value for key, value in (result["metadata"].get("annotations") or {}).items() if key not in FILES}
    result["metadata"]["annotations"] = annotations | own
    ours = [json.loads(bytes(added.init)), json.loads(bytes(added.proxy))]
    result["spec"]["initContainers"] = ours + (result["spec"].get("initContainers") or [])
    volumes = [json.loads(bytes(volume)) for volume in added.volumes]
    result["spec"]["volumes"] = (result["spec"].get("volumes") or []) + volumes
    return result


def test_there_are_golden_pairs() -> None:
    assert len(CASES) >= 6


def pod_of(case: str) -> Any:
    return yaml.safe_load((GOLDEN / f"{case}.pod.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def goldens(review_of: Callable[..., bytes], answer: Callable[..., Response]) -> dict[str, Any]:
    """The golden patches by case. With PROA_UPDATE_GOLDEN=1 they are written anew first: read the difference then."""
    paths = {case: GOLDEN / f"{case}.patch.json" for case in CASES}
    if UPDATE in os.environ:
        for case, path in paths.items():
            patch = without_files(operations(answer(review_of(pod_of(case)))))
            path.write_text(json.dumps(patch, indent=2) + "\n", encoding="utf-8")
    return {case: json.loads(path.read_text(encoding="utf-8")) for case, path in paths.items()}


@pytest.mark.parametrize("case", CASES)
def test_a_pods_patch_is_its_golden_one(
    case: str, goldens: dict[str, Any], review_of: Callable[..., bytes], answer: Callable[..., Response]
) -> None:
    assert without_files(operations(answer(review_of(pod_of(case))))) == goldens[case]


@pytest.mark.parametrize("case", [case for case in CASES if case != "probed"])
def test_a_golden_patch_applied_by_another_library_gives_the_pod_with_its_sidecar(
    case: str, goldens: dict[str, Any], added: Sidecar
) -> None:
    pod = pod_of(case)
    assert without_status(jsonpatch.apply_patch(pod, goldens[case])) == without_files(expected(pod, added))


@given(data=st.data())
def test_nothing_but_our_own_parts_changes_in_any_pod(
    data: st.DataObject,
    any_pod: st.SearchStrategy[Any],
    added: Sidecar,
    review_of: Callable[..., bytes],
    answer: Callable[..., Response],
    patched: Callable[[Any, Response], Any],
) -> None:
    pod = data.draw(any_pod)
    response = answer(review_of(pod))
    assert response.allowed, response.status
    assert without_status(patched(pod, response)) == expected(pod, added)


@given(data=st.data())
def test_a_pod_with_its_sidecar_is_left(
    data: st.DataObject,
    any_pod: st.SearchStrategy[Any],
    review_of: Callable[..., bytes],
    answer: Callable[..., Response],
    patched: Callable[[Any, Response], Any],
) -> None:
    pod = data.draw(any_pod)
    once = patched(pod, answer(review_of(pod)))
    again = answer(review_of(once))
    assert again.allowed
    assert again.patch is None
    assert again.verdict == ("left", "already_injected")


def test_the_patch_does_not_grow_with_the_pod(
    ordinary_pod: dict[str, Any], review_of: Callable[..., bytes], answer: Callable[..., Response]
) -> None:
    large = copy.deepcopy(ordinary_pod)
    large["spec"]["containers"][0]["env"] = [{"name": f"V{number}", "value": "x"} for number in range(2000)]
    assert answer(review_of(large)).patch == answer(review_of(ordinary_pod)).patch


@given(st.lists(st.text()))
def test_a_pointer_gives_its_tokens_back(tokens: list[str]) -> None:
    assert pointed(pointer(*tokens)) == tuple(tokens)


@given(st.lists(st.text(), min_size=1))
def test_a_pointer_is_read_the_same_by_another_library(tokens: list[str]) -> None:
    assert jsonpatch.JsonPointer(pointer(*tokens)).parts == tokens


def test_operations_are_of_rfc_6902(
    ordinary_pod: dict[str, Any], review_of: Callable[..., bytes], answer: Callable[..., Response]
) -> None:
    response = answer(review_of(ordinary_pod))
    assert response.patch_type == "JSONPatch"
    shapes = {"add": {"op", "path", "value"}, "remove": {"op", "path"}}
    assert all(set(operation) == shapes[operation["op"]] for operation in operations(response))
    assert msgspec.json.encode(response)
