import json
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.documents import as_json, as_yaml, plain
from proa.errors import Refused
from proa.mesh import MeshConfiguration, mesh_configuration
from support.manifests import TEMPLATE, WORKLOADS, decided, manifest, of, template_of
from webhook.sidecar import Sidecar
from webhook.stream import injected


@pytest.mark.parametrize("kind", WORKLOADS)
def test_every_kind_that_carries_a_pod_gets_the_webhooks_sidecar(kind: str, added: Sidecar) -> None:
    result = of(manifest(kind, namespace="demo"))
    assert decided(result) == [(f"{kind} demo/web", "namespace_enabled")]
    template: Any = template_of(kind, plain(result.documents[0]))
    assert template["spec"]["initContainers"] == [msgspec.json.decode(each) for each in (added.init, added.proxy)]
    assert template["spec"]["volumes"] == [msgspec.json.decode(each) for each in added.volumes]
    annotations = template["metadata"]["annotations"]
    assert json.loads(annotations.pop(names.STATUS))["fingerprint"] == added.fingerprint
    assert annotations.pop(names.DEFAULT_CONTAINER) == TEMPLATE["spec"]["containers"][0]["name"]
    assert annotations == {key: msgspec.json.decode(value) for key, value in added.annotations.items()}
    assert template["spec"]["containers"] == TEMPLATE["spec"]["containers"]


@pytest.mark.parametrize("kind", WORKLOADS)
def test_nothing_outside_the_pod_template_changes(kind: str) -> None:
    before = manifest(kind, namespace="demo") | {"status": {"x": 1}}
    (document,) = of(before).documents
    after: Any = plain(document)
    template, original = template_of(kind, after), template_of(kind, before)
    for ours in ("initContainers", "volumes"):
        del template["spec"][ours]
    del template["metadata"]["annotations"]
    assert template == original
    assert after == before


@given(data=st.data())
def test_any_pod_is_patched_as_the_webhook_patches_it(data: st.DataObject, any_pod: st.SearchStrategy[Any]) -> None:
    pod = data.draw(any_pod)
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "Pod"} | pod)
    once = injected(text, MeshConfiguration())
    assert [verdict.decision.reason.code for verdict in once.verdicts] == ["namespace_enabled"]
    again = injected(as_yaml(once.documents), MeshConfiguration())
    assert [verdict.decision.reason.code for verdict in again.verdicts] == ["already_injected"]
    assert [plain(document) for document in again.documents] == [plain(document) for document in once.documents]


def test_what_carries_no_pod_passes_through_as_text() -> None:
    text = (
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  on: "yes"\n  when: 2001-12-14\n  mode: 0777\n'
        "  script: |\n    echo one\n      two\n---\napiVersion: batch.example.com/v1\nkind: Job\nspec: {template: 1}\n"
        "---\njust text\n...\n---\n- a list\n"
    )
    result = injected(text, MeshConfiguration())
    assert result.verdicts == ()
    assert as_yaml(result.documents) == text.replace("---\njust text\n...\n", "--- just text\n")


def test_comments_go_and_the_rest_stays() -> None:
    assert as_yaml(injected("# hello\nkind: X # there\n", MeshConfiguration()).documents) == "kind: X\n"


def test_each_item_of_a_list_is_taken_by_itself() -> None:
    opted_out = manifest("Pod", {"metadata": {"labels": {names.INJECT: "disabled"}}, "spec": TEMPLATE["spec"]})
    listed = {"apiVersion": "v1", "kind": "List", "items": [manifest("Deployment"), {"kind": "Service"}, opted_out]}
    result = of(listed)
    assert decided(result) == [("Deployment web", "namespace_enabled"), ("Pod web", "pod_label_disabled")]
    after: Any = plain(result.documents[0])
    assert "initContainers" in after["items"][0]["spec"]["template"]["spec"]
    assert after["items"][1:] == listed["items"][1:]


def test_a_namespace_of_the_stream_decides_wherever_it_stands() -> None:
    def namespace(name: str, labels: dict[str, str]) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}

    result = of(
        manifest("Pod", namespace="out"),
        manifest("Pod", namespace="silent"),
        manifest("Pod", namespace="in"),
        manifest("Pod", namespace="elsewhere"),
        namespace("out", {names.INJECT: "disabled"}),
        {
            "apiVersion": "v1",
            "kind": "List",
            "items": [namespace("in", {names.INJECT: "true"}), namespace("silent", {})],
        },
    )
    assert decided(result) == [
        ("Pod out/web", "namespace_disabled"),
        ("Pod silent/web", "not_asked_for"),
        ("Pod in/web", "namespace_enabled"),
        ("Pod elsewhere/web", "namespace_enabled"),
    ]


def test_the_webhooks_rules_hold_without_a_cluster() -> None:
    assert decided(of(manifest("Pod", namespace="kube-system"))) == [("Pod kube-system/web", "system_namespace")]
    host = {"spec": {"hostNetwork": True, "containers": [{"name": "app"}]}}
    assert decided(of(manifest("DaemonSet", host))) == [("DaemonSet web", "host_network")]


def test_what_makes_the_pods_of_a_workload_decides_about_them() -> None:
    configuration = mesh_configuration("injection: {owners: {Job: disabled, ReplicaSet: disabled}}")
    text = yaml.safe_dump_all([manifest(kind) for kind in ("CronJob", "Job", "Deployment", "StatefulSet", "Pod")])
    assert decided(injected(text, configuration)) == [
        ("CronJob web", "owner_disabled"),
        ("Job web", "owner_disabled"),
        ("Deployment web", "owner_disabled"),
        ("StatefulSet web", "namespace_enabled"),
        ("Pod web", "namespace_enabled"),
    ]


def test_a_pod_shared_through_an_alias_is_injected_in_each_place_once() -> None:
    text = """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: &spec {initContainers: [], containers: [{name: app}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: *spec}
- {apiVersion: v1, kind: Pod, metadata: {name: c, labels: {proa.dev/inject: disabled}}, spec: *spec}
"""
    after: Any = yaml.safe_load(as_yaml(injected(text, MeshConfiguration()).documents))
    assert [len(item["spec"]["initContainers"]) for item in after["items"]] == [2, 2, 0]
    assert all(len(item["spec"]["containers"]) == 1 for item in after["items"])


def test_the_result_is_the_same_in_json() -> None:
    result = of(manifest("Deployment"))
    assert yaml.safe_load(as_yaml(result.documents)) == msgspec.json.decode(as_json(result.documents))


def test_json_is_read_as_well() -> None:
    text = msgspec.json.encode(manifest("Deployment")) + b"\n"
    assert decided(injected(text, MeshConfiguration())) == [("Deployment web", "namespace_enabled")]


def test_every_document_at_fault_is_named_with_its_field() -> None:
    wish = {"metadata": {"labels": {names.INJECT: "maybe"}}, "spec": {"containers": [{"name": "app"}]}}
    clash = {
        "spec": {
            "containers": [{"name": "proa-proxy", "args": []}, {"name": "app"}],
            "volumes": [{"name": "proa-identity"}],
        }
    }
    namespace = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "x-", "namespace": "demo"}}
    with pytest.raises(Refused) as refused:
        of(manifest("CronJob", wish), manifest("Pod"), manifest("Deployment", clash), namespace, manifest("Job", None))
    template = "spec.jobTemplate.spec.template"
    assert [problem.field for problem in refused.value.problems] == [
        f"CronJob web: {template}.metadata.labels['proa.dev/inject']",
        "Deployment web: spec.template.spec.containers[0].args",
        "Deployment web: spec.template.spec.volumes[0].name",
        "Pod demo/x-: spec",
        "Job web: spec.template",
    ]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("a: [", "the stream"),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: x, labels: {proa.dev/inject: true}}\n",
            "Namespace x: metadata.labels['proa.dev/inject']",
        ),
        ("apiVersion: v1\nkind: Pod\nmetadata: 5\n", "Pod without a name: metadata"),
        ("kind: Pod\napiVersion: v1\nspec: {containers: [{name: a, x: 1, x: 2}]}\n", "Pod without a name: line 3"),
    ],
)
def test_a_stream_at_fault_is_refused_by_field(text: str, field: str) -> None:
    with pytest.raises(Refused) as refused:
        injected(text, MeshConfiguration())
    assert field in [problem.field for problem in refused.value.problems]
