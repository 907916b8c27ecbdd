"""What an injection did is undone exactly, by its own record; what others did since stays."""

import copy
import json
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
from proa.documents import as_yaml, plain, read
from proa.errors import Invalid, Refused
from proa.mesh import MeshConfiguration
from webhook.review import Response
from webhook.stream import injected, uninjected
from webhook.uninjection import uninjection

Answer = Callable[..., Response]
ReviewOf = Callable[..., bytes]
Patched = Callable[[Any, Response], Any]
GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*.pod.yaml"))


def restored(pod: Any) -> Any:
    """*pod* with the edits made by a library that is not ours."""
    return jsonpatch.apply_patch(pod, json.loads(msgspec.json.encode(uninjection(pod))))


def same(one: Any, other: Any) -> bool:
    """By the bytes of their JSON: 1, 1.0 and true are not the same there."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(data=st.data())
def test_any_pod_comes_back_as_it_was(
    data: st.DataObject,
    any_probed_pod: st.SearchStrategy[Any],
    review_of: ReviewOf,
    answer: Answer,
    patched: Patched,
) -> None:
    pod = data.draw(any_probed_pod)
    response = answer(review_of(pod))
    assert response.allowed, response.status
    once = patched(pod, response)
    assert same(restored(once), pod)
    assert answer(review_of(once)).patch is None


@pytest.fixture
def in_the_mesh(review_of: ReviewOf, answer: Answer, patched: Patched) -> Callable[[Any], Any]:
    return lambda pod: patched(pod, answer(review_of(pod)))


@pytest.fixture
def probed() -> Any:
    return yaml.safe_load((GOLDEN / "probed.pod.yaml").read_text(encoding="utf-8"))


def test_a_pod_without_a_record_is_left(ordinary_pod: Any) -> None:
    assert uninjection(ordinary_pod) == ()
    for shape in (None, [], {"metadata": None}, {"metadata": []}, {"metadata": {"annotations": 5}}):
        assert uninjection(shape) == ()


def test_what_the_api_server_and_others_added_since_stays(in_the_mesh: Callable[[Any], Any]) -> None:
    bare = {"spec": {"containers": [{"name": "app", "readinessProbe": {"tcpSocket": {"port": 80}}}]}}
    pod = in_the_mesh(bare)
    pod["metadata"]["uid"] = "705ab4f5"
    pod["metadata"]["annotations"]["other.dev/mark"] = "x"
    pod["spec"]["initContainers"].insert(0, {"name": "early"})
    pod["spec"]["initContainers"].append({"name": "late"})
    pod["spec"]["volumes"].insert(1, {"name": "foreign"})
    pod["spec"]["containers"].insert(0, {"name": "before"})
    pod["spec"]["containers"][1]["readinessProbe"]["httpGet"]["scheme"] = "HTTP"
    assert restored(pod) == {
        "metadata": {"uid": "705ab4f5", "annotations": {"other.dev/mark": "x"}},
        "spec": {
            "initContainers": [{"name": "early"}, {"name": "late"}],
            "volumes": [{"name": "foreign"}],
            "containers": [{"name": "before"}, bare["spec"]["containers"][0]],
        },
    }


def test_a_pod_that_got_a_name_since_loses_the_annotations_that_were_made(in_the_mesh: Callable[[Any], Any]) -> None:
    pod = in_the_mesh({"spec": {"containers": [{"name": "app"}]}})
    pod["metadata"]["name"] = "web"
    assert restored(pod) == {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app"}]}}


def test_a_probe_that_somebody_replaced_is_theirs(probed: Any, in_the_mesh: Callable[[Any], Any]) -> None:
    pod = in_the_mesh(probed)
    web = next(container for container in pod["spec"]["containers"] if container["name"] == "web")
    web["readinessProbe"] = {"exec": {"command": ["true"]}}
    del web["livenessProbe"]
    expected = copy.deepcopy(probed)
    expected["spec"]["containers"][0]["readinessProbe"] = {"exec": {"command": ["true"]}}
    del expected["spec"]["containers"][0]["livenessProbe"]
    assert restored(pod) == expected


def test_a_sidecar_among_the_pods_containers_goes_as_well(ordinary_pod: Any, in_the_mesh: Callable[[Any], Any]) -> None:
    pod = in_the_mesh(ordinary_pod)
    record = json.loads(pod["metadata"]["annotations"][names.STATUS])
    moved = pod["spec"]["initContainers"].pop()
    pod["spec"]["containers"] = [moved, *pod["spec"]["containers"], {"name": "later"}]
    record |= {"initContainers": [names.INIT_CONTAINER], "containers": [names.PROXY_CONTAINER]}
    pod["metadata"]["annotations"][names.STATUS] = json.dumps(record)
    expected = copy.deepcopy(ordinary_pod)
    expected["spec"]["containers"].append({"name": "later"})
    assert restored(pod) == expected


def test_a_containers_absence_is_no_hindrance(probed: Any, in_the_mesh: Callable[[Any], Any]) -> None:
    pod = in_the_mesh(probed)
    pod["spec"]["containers"] = pod["spec"]["containers"][2:]
    pod["spec"]["initContainers"] = [pod["spec"]["initContainers"][1]]
    expected = copy.deepcopy(probed)
    expected["spec"]["containers"] = expected["spec"]["containers"][2:]
    expected["spec"]["initContainers"] = []
    assert restored(pod) == expected


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ("", "what is not JSON"),
        ("{", "what is not JSON"),
        ("[]", "a list"),
        ("{}", "nothing"),
        ('{"version":1,"initContainers":[],"volumes":[],"annotations":[]}', "a record of format 1"),
        ('{"version":4}', "a record of format 4"),
        ('{"version":2}', "nothing"),
        ('{"version":3,"proa":"","fingerprint":"","initContainers":[],"volumes":[],"annotations":[]}', "would not go"),
        (
            '{"version":3,"proa":"","fingerprint":"","initContainers":[],"volumes":[],'
            '"annotations":["proa.dev/status"],"replaced":{"proa.dev/status":"x"}}',
            "would not go",
        ),
        ('{"version":2,"proa":"","fingerprint":"","initContainers":{},"volumes":[],"annotations":[]}', "a mapping"),
        (5, "5"),
    ],
)
def test_a_record_that_cannot_be_undone_is_refused_by_its_annotation(record: Any, found: str) -> None:
    pod = {"metadata": {"annotations": {names.STATUS: record}}, "spec": {"containers": [{"name": "app"}]}}
    with pytest.raises(Invalid) as refused:
        uninjection(pod)
    assert names.STATUS in str(refused.value)
    assert found in refused.value.found


@given(st.text() | st.from_regex(r'\{"version":2.*', fullmatch=True))
def test_any_record_is_undone_or_refused(record: str) -> None:
    pod = {"metadata": {"annotations": {names.STATUS: record}}, "spec": {"containers": [{"name": "app"}]}}
    try:
        uninjection(pod)
    except Invalid:
        return


def test_a_record_names_what_comes_back(probed: Any, in_the_mesh: Callable[[Any], Any]) -> None:
    record = json.loads(in_the_mesh(probed)["metadata"]["annotations"][names.STATUS])
    assert record["absent"] == ["/metadata/annotations", "/spec/volumes"]
    assert record["probes"] == {
        "log-shipper": {"startupProbe": {"httpGet": {"port": 2020}}},
        "web": {
            "readinessProbe": {"httpGet": {"port": "http"}},
            "livenessProbe": {"httpGet": {"port": 8080}},
            "startupProbe": {"httpGet": {"port": 8443, "scheme": "HTTPS"}},
            "preStop": {"httpGet": {"port": "http"}},
        },
        "database": {"readinessProbe": {"tcpSocket": {"port": 5432}}, "livenessProbe": {"grpc": {"port": 9000}}},
    }


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name)
def test_a_stream_comes_back_with_its_values(path: Path) -> None:
    text = "apiVersion: v1\nkind: Pod\n" + path.read_text(encoding="utf-8").replace("apiVersion: v1\nkind: Pod\n", "")
    once = injected(text, MeshConfiguration())
    result = uninjected(as_yaml(once.documents))
    assert [each.changed for each in result.objects] == [True]
    assert [plain(document) for document in result.documents] == [plain(document) for document in read(text)]


def test_a_stream_keeps_its_text_and_its_order() -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\ndata: {mode: 0777, on: 'yes'}\n---\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 0x2\n  template:\n"
        "    spec:\n      containers:\n      - name: 'app'\n        readinessProbe:\n"
        "          httpGet: {port: 8080, path: /ready}\n          timeoutSeconds: 2\n      volumes: []\n---\n"
        "apiVersion: v1\nkind: Pod\nmetadata: {name: out, labels: {proa.dev/inject: disabled}}\n"
        "spec: {containers: [{name: app}]}\n"
    )
    result = uninjected(as_yaml(injected(text, MeshConfiguration()).documents))
    assert as_yaml(result.documents) == text
    assert [(each.title, each.changed) for each in result.objects] == [("Deployment web", True), ("Pod out", False)]


def test_every_record_at_fault_in_a_stream_is_named() -> None:
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "annotations": {names.STATUS: "{}"}},
        "spec": {"containers": [{"name": "app"}]},
    }
    other = copy.deepcopy(pod)
    other["metadata"]["name"] = "b"
    with pytest.raises(Refused) as refused:
        uninjected(yaml.safe_dump_all([pod, other]))
    assert [problem.field.partition(":")[0] for problem in refused.value.problems] == ["Pod a", "Pod b"]
