"""Templates and a user's own proxy container, through the whole of an injection (cases 40 to 44 of the field's)."""

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonpatch
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.errors import ProaError, Refused
from proa.mesh import MeshConfiguration, mesh_configuration
from proa.partial import PartialPod
from support.partials import PARTIAL
from webhook.admission import admission
from webhook.customising import fingerprint
from webhook.decision import Subject
from webhook.decoding import converted
from webhook.injection import injection
from webhook.pod import Pod
from webhook.review import Response, admission_request
from webhook.sidecar import sidecar
from webhook.uninjection import uninjection

ReviewOf = Callable[..., bytes]
TEMPLATES = """
templates:
  debug:
    metadata:
      labels: {tier: debug}
      annotations: {example.com/debug: "yes"}
    spec:
      containers:
      - {name: debugger, image: "debug:1"}
      - {name: "*", env: [{name: DEBUG, value: "1"}], volumeMounts: [{name: scratch, mountPath: /scratch}]}
      - {name: proa-proxy, env: [{name: EXTRA, value: "1"}], resources: {limits: {cpu: "2"}}}
      volumes:
      - {name: scratch, emptyDir: {}}
  quiet:
    spec:
      containers:
      - {name: debugger, image: "debug:2"}
      - {name: app, args: null, env: [{name: OLD, $patch: delete}, {name: QUIET, value: "1"}]}
"""
CONFIGURATION = mesh_configuration(TEMPLATES)
APP = {"name": "app", "image": "web:1", "args": ["-v"], "env": [{"name": "OLD", "value": "1"}]}


def pod_with(templates: str | None = None, *containers: Any, **spec: Any) -> Any:
    annotations = {} if templates is None else {names.TEMPLATES: templates}
    metadata = {"name": "web", "namespace": "demo", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [*containers], **spec}}


@pytest.fixture(scope="session")
def answered(review_of: ReviewOf) -> Callable[..., Response]:
    def answer(pod: Any, configuration: MeshConfiguration = CONFIGURATION) -> Response:
        request = admission_request(review_of(pod))
        return admission(request, {names.INJECT: "enabled"}, configuration, sidecar(configuration)).response

    return answer


@pytest.fixture(scope="session")
def injected(answered: Callable[..., Response]) -> Callable[..., Any]:
    """The pod as a library that is not ours makes it from the patch."""

    def inject(pod: Any, configuration: MeshConfiguration = CONFIGURATION) -> Any:
        response = answered(pod, configuration)
        assert response.patch is not None, response.status
        return jsonpatch.apply_patch(pod, json.loads(response.patch))

    return inject


@pytest.fixture(scope="session")
def refused(answered: Callable[..., Response]) -> Callable[..., str]:
    def refuse(pod: Any, configuration: MeshConfiguration = CONFIGURATION) -> str:
        response = answered(pod, configuration)
        assert response.status is not None
        return response.status.message

    return refuse


def restored(pod: Any) -> Any:
    return jsonpatch.apply_patch(pod, json.loads(msgspec.json.encode(uninjection(pod))))


def containers(pod: Any) -> dict[str, Any]:
    return {each["name"]: each for each in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])}


def same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def test_a_users_own_proxy_container_overrides_field_by_field(injected: Callable[..., Any]) -> None:
    own = {
        "name": "proa-proxy",
        "image": "auto",
        "imagePullPolicy": "Always",
        "resources": {"limits": {"cpu": "3"}},
        "env": [{"name": "MINE", "value": "1"}],
        "volumeMounts": [{"name": "token", "mountPath": "/token"}],
        "securityContext": {"readOnlyRootFilesystem": False},
        "readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 9},
    }
    pod = pod_with(None, own, APP, volumes=[{"name": "token", "emptyDir": {}}])
    made = injected(pod)
    proxy, plain = containers(made)["proa-proxy"], containers(injected(pod_with(None, APP)))["proa-proxy"]
    assert [each["name"] for each in made["spec"]["containers"]] == ["app"]
    assert proxy["image"] == plain["image"]
    assert "imagePullPolicy" not in proxy
    assert proxy["resources"] == {**plain["resources"], "limits": {**plain["resources"]["limits"], "cpu": "3"}}
    assert proxy["env"] == [*plain["env"], {"name": "MINE", "value": "1"}]
    assert proxy["volumeMounts"] == [*plain["volumeMounts"], {"name": "token", "mountPath": "/token"}]
    assert proxy["securityContext"] == {**plain["securityContext"], "readOnlyRootFilesystem": False}
    assert proxy["readinessProbe"] == {"exec": {"command": ["true"]}, "periodSeconds": 9, "failureThreshold": 3}
    assert same(restored(made), pod)


def test_auto_is_proas_image_in_a_template_too(injected: Callable[..., Any]) -> None:
    spec = "{containers: [{name: proa-proxy, image: auto, workingDir: /x}]}"
    pod, made = pod_with("a", APP), mesh_configuration(f"templates: {{a: {{spec: {spec}}}}}")
    plain = containers(injected(pod_with(None, APP)))["proa-proxy"]
    assert containers(injected(pod, made))["proa-proxy"] == {**plain, "workingDir": "/x"}


def test_an_image_of_the_users_own_is_taken(injected: Callable[..., Any]) -> None:
    pod = pod_with(None, APP, {"name": "proa-proxy", "image": "envoy:mine", "imagePullPolicy": "Always"})
    proxy = containers(injected(pod))["proa-proxy"]
    assert (proxy["image"], proxy["imagePullPolicy"]) == ("envoy:mine", "Always")


def test_the_init_container_may_be_overridden_too(injected: Callable[..., Any]) -> None:
    own = {"name": "proa-init", "image": "auto", "resources": {"limits": {"memory": "32Mi"}}}
    made = injected(pod_with(None, APP, initContainers=[own]))
    assert [each["name"] for each in made["spec"]["initContainers"]] == ["proa-init", "proa-proxy"]
    assert containers(made)["proa-init"]["resources"]["limits"] == {"memory": "32Mi"}


@pytest.mark.parametrize(
    ("own", "field"),
    [
        ({"securityContext": {"runAsUser": 0}}, "spec.containers[1].securityContext.runAsUser"),
        ({"securityContext": {"runAsUser": True}}, "spec.containers[1].securityContext.runAsUser"),
        ({"command": ["sh"]}, "spec.containers[1].command"),
        ({"args": []}, "spec.containers[1].args"),
        ({"env": [{"name": "POD_NAME", "value": "x"}]}, "spec.containers[1].env[0].name"),
        ({"volumeMounts": [{"name": "x", "mountPath": names.IDENTITY_DIRECTORY}]}, "volumeMounts[0].mountPath"),
        ({"volumeMounts": [{"name": "x", "mountPath": "/run/../run/secrets/proa.dev/identity/a"}]}, "mountPath"),
        ({"volumeMounts": [{"name": names.IDENTITY_VOLUME, "mountPath": "/x"}]}, "volumeMounts[0].name"),
        ({"ports": [{"containerPort": names.METRICS_PORT}]}, "ports[0].containerPort"),
        ({"$patch": "delete"}, "spec.containers[1].$patch"),
        ({"env": [{"name": "A", "$patch": "delete"}]}, "spec.containers[1].env[0].$patch"),
        ({"image": 5}, "spec.containers[1].image"),
    ],
)
def test_what_would_break_the_proxys_identity_is_refused(own: Any, field: str, refused: Callable[..., str]) -> None:
    assert field in refused(pod_with(None, APP, {"name": "proa-proxy", **own}))


def test_two_containers_of_proas_name_are_refused(refused: Callable[..., str]) -> None:
    own = {"name": "proa-proxy", "image": "auto"}
    assert "spec.containers[1].name" in refused(pod_with(None, APP, own, initContainers=[own]))


def test_a_pod_without_a_container_of_its_own_has_to_be_a_proxy(refused: Callable[..., str]) -> None:
    assert "spec.containers: found nothing" in refused(pod_with(None, {"name": "proa-init", "image": "auto"}))
    taken = mesh_configuration("templates: {none: {spec: {containers: [{name: app, $patch: delete}]}}}")
    assert "spec.containers: found nothing" in refused(pod_with("none", APP), taken)


def test_a_pod_may_be_only_a_proxy(injected: Callable[..., Any]) -> None:
    pod = pod_with(None, {"name": "proa-proxy", "image": "auto"})
    made = injected(pod)
    assert [each["name"] for each in made["spec"]["containers"]] == ["proa-proxy"]
    assert [each["name"] for each in made["spec"]["initContainers"]] == ["proa-init"]
    assert "restartPolicy" not in made["spec"]["containers"][0]
    assert same(restored(made), pod)


def test_a_pod_that_is_only_a_proxy_ends_within_its_time(injected: Callable[..., Any]) -> None:
    pod = pod_with(None, {"name": "proa-proxy", "image": "auto"}, terminationGracePeriodSeconds=2)
    assert containers(injected(pod))["proa-proxy"]["lifecycle"] == {"preStop": {"sleep": {"seconds": 2}}}


def test_a_gateway_is_only_a_proxy_to_which_nothing_is_redirected(injected: Callable[..., Any]) -> None:
    pod = pod_with("gateway", {"name": "proa-proxy", "image": "auto", "ports": [{"containerPort": 8443}]})
    made = injected(pod)
    assert list(containers(made)) == ["proa-proxy"]
    assert "initContainers" not in made["spec"]
    bootstrap = json.loads(made["metadata"]["annotations"][names.BOOTSTRAP])
    bound = [each["address"]["socket_address"]["port_value"] for each in bootstrap["static_resources"]["listeners"]]
    assert bound == [names.READY_PORT, names.METRICS_PORT]
    assert same(restored(made), pod)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"image": "evil:1"}, "image"),
        ({"env": [{"name": "PATH", "value": "/evil"}]}, "env"),
        ({"lifecycle": {"postStart": {"exec": {"command": ["nft", "flush", "ruleset"]}}}}, "lifecycle"),
        ({"volumeMounts": [{"name": "bin", "mountPath": "/usr/bin"}]}, "volumeMounts[0].mountPath"),
        ({"securityContext": {"privileged": True}}, "securityContext"),
        ({"args": ["--exclude-outbound-ports=1:65535"]}, "args"),
        ({"terminationMessagePath": "/usr/sbin/nft"}, "terminationMessagePath"),
    ],
)
def test_who_writes_a_pod_does_not_program_its_interception(more: Any, field: str, refused: Callable[..., str]) -> None:
    message = refused(pod_with(None, APP, initContainers=[{"name": "proa-init", "image": "auto", **more}]))
    assert f"spec.initContainers[0].{field}: found" in message


def test_what_the_api_server_gave_a_users_own_installer_is_no_hindrance(injected: Callable[..., Any]) -> None:
    token = {"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    defaults = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
    own = {"name": "proa-init", "image": "auto", "imagePullPolicy": "Always", "volumeMounts": [token], **defaults}
    assert containers(injected(pod_with(None, APP, initContainers=[own])))["proa-init"]["volumeMounts"] == [token]


def test_a_gateway_is_not_told_of_a_standard_that_forbids_an_installer(review_of: ReviewOf) -> None:
    labels = {names.INJECT: "enabled", "pod-security.kubernetes.io/enforce": "baseline"}

    def told(pod: Any) -> tuple[str, ...]:
        request = admission_request(review_of(pod))
        return admission(request, labels, CONFIGURATION, sidecar(CONFIGURATION)).response.warnings

    assert told(pod_with("gateway", APP)) == ()
    assert "NET_ADMIN" in told(pod_with("debug", APP))[0]


def test_the_record_tells_what_the_configuration_gave_from_what_the_pod_asked_for(injected: Callable[..., Any]) -> None:
    def record(pod: Any, configuration: MeshConfiguration = CONFIGURATION) -> tuple[str, str]:
        found = json.loads(injected(pod, configuration)["metadata"]["annotations"][names.STATUS])
        return found["fingerprint"], found.get("settings", "")

    plain, own = record(pod_with(None, APP)), {"name": "proa-proxy", "image": "auto"}
    assert record(pod_with("sidecar", APP)) == plain
    assert record(pod_with("debug", APP)) == record(pod_with("debug", {**APP, "name": "web"}))
    assert record(pod_with("debug", APP))[0] != plain[0]
    assert record(pod_with(None, APP, own))[0] == plain[0]
    assert record(pod_with(None, APP, own))[1] != plain[1]
    changed = mesh_configuration(TEMPLATES.replace('"debug:1"', '"debug:2"'))
    assert record(pod_with("debug", APP), changed)[0] != record(pod_with("debug", APP))[0]
    assert record(pod_with("quiet", APP), changed) == record(pod_with("quiet", APP))
    assert fingerprint({names.TEMPLATES: "debug"}, CONFIGURATION, plain[0]) == record(pod_with("debug", APP))[0]


def test_a_gateways_app_is_asked_by_the_kubelet_itself(injected: Callable[..., Any]) -> None:
    app = {**APP, "readinessProbe": {"httpGet": {"port": 8080}}}
    made = injected(pod_with("gateway", app))
    assert [each["name"] for each in made["spec"]["initContainers"]] == ["proa-proxy"]
    assert made["spec"]["containers"] == [app]


def test_a_pod_of_an_enforced_namespace_cannot_opt_out_by_a_template(refused: Callable[..., str]) -> None:
    enforcing = mesh_configuration("injection: {enforce: [demo]}")
    assert "injection.enforce lists the namespace" in refused(pod_with("gateway", APP), enforcing)


def test_two_templates_are_laid_over_a_pod_in_their_order(injected: Callable[..., Any]) -> None:
    pod = pod_with("debug, quiet", APP)
    made = injected(pod)
    found = containers(made)
    assert found["debugger"] == {
        "name": "debugger",
        "image": "debug:2",
    }
    assert found["app"]["env"] == [{"name": "DEBUG", "value": "1"}, {"name": "QUIET", "value": "1"}]
    assert "args" not in found["app"]
    assert found["app"]["volumeMounts"] == [{"name": "scratch", "mountPath": "/scratch"}]
    assert found["proa-proxy"]["resources"]["limits"]["cpu"] == "2"
    assert {"name": "EXTRA", "value": "1"} in found["proa-proxy"]["env"]
    assert made["metadata"]["labels"] == {"tier": "debug"}
    assert {"name": "scratch", "emptyDir": {}} in made["spec"]["volumes"]
    assert same(restored(made), pod)


def test_what_a_template_names_and_the_pod_has_is_there_once(injected: Callable[..., Any]) -> None:
    given = "volumes: [{name: data, emptyDir: {medium: Memory}}], imagePullSecrets: [{name: registry}, {name: more}]"
    configuration = mesh_configuration(f"templates: {{a: {{spec: {{{given}}}}}}}")
    own = {"volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}], "imagePullSecrets": [{"name": "registry"}]}
    pod = pod_with("a", APP, **own)
    made = injected(pod, configuration)
    volumes = [each for each in made["spec"]["volumes"] if not each["name"].startswith("proa-")]
    assert volumes == [{"name": "data", "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}}]
    assert made["spec"]["imagePullSecrets"] == [{"name": "registry"}, {"name": "more"}]
    assert same(restored(made), pod)


def test_the_user_has_the_last_word_about_the_proxy(injected: Callable[..., Any]) -> None:
    own = {"name": "proa-proxy", "image": "auto", "resources": {"limits": {"cpu": "9"}}}
    assert containers(injected(pod_with("debug", APP, own)))["proa-proxy"]["resources"]["limits"]["cpu"] == "9"


@pytest.mark.parametrize(
    "named", ["debug,unknown", "debug,debug", "debug,,quiet", ",", "DEBUG", "debug\nquiet", '"', "*"]
)
def test_a_template_that_is_none_is_refused_with_those_that_are(named: str, refused: Callable[..., str]) -> None:
    message = refused(pod_with(named, APP))
    assert f"metadata.annotations['{names.TEMPLATES}']" in message
    assert "sidecar, gateway, debug, quiet" in message


def test_defaults_are_for_pods_that_name_none(injected: Callable[..., Any]) -> None:
    configuration = mesh_configuration(f"{TEMPLATES}\ndefaultTemplates: [debug]\n")
    assert "debugger" in containers(injected(pod_with(None, APP), configuration))
    assert "debugger" not in containers(injected(pod_with("", APP), configuration))
    assert "debugger" not in containers(injected(pod_with("sidecar", APP), configuration))


def test_istios_annotation_is_read_in_istios_vocabulary(injected: Callable[..., Any]) -> None:
    pod = pod_with(None, APP)
    pod["metadata"]["annotations"]["inject.istio.io/templates"] = "sidecar,debug"
    assert "debugger" in containers(injected(pod, mesh_configuration(f"{TEMPLATES}\nvocabulary: istio\n")))
    assert "debugger" not in containers(injected(pod))


def test_what_a_template_adds_is_held_to_what_every_pod_is(refused: Callable[..., str]) -> None:
    configuration = mesh_configuration(
        "templates: {bad: {spec: {containers: [{name: '*', ports: [{containerPort: 15001}]}]}}}"
    )
    assert "spec.containers[0].ports[0].containerPort" in refused(pod_with("bad", APP), configuration)


def test_a_template_that_makes_a_pod_unreadable_is_refused_with_the_pod(refused: Callable[..., str]) -> None:
    bad = mesh_configuration("templates: {bad: {spec: {containers: [{name: x, volumeMounts: [{mountPath: /x}]}]}}}")
    assert "spec.containers[1].volumeMounts[0].name" in refused(pod_with("bad", APP), bad)


def test_a_probe_that_a_template_gives_the_app_goes_through_the_sidecar(injected: Callable[..., Any]) -> None:
    configuration = mesh_configuration(
        "templates: {probed: {spec: {containers: [{name: app, readinessProbe: {httpGet: {port: 8080}}}]}}}"
    )
    pod = pod_with("probed", APP)
    made = injected(pod, configuration)
    assert containers(made)["app"]["readinessProbe"]["httpGet"]["port"] == names.PROBE_PORTS
    assert same(restored(made), pod)


def test_a_patch_has_nothing_but_what_is_proas_or_the_templates(answered: Callable[..., Response]) -> None:
    large = [{"name": f"V{number}", "value": "x" * 50} for number in range(2000)]
    size = len(answered(pod_with("debug", {**APP, "env": [{"name": "OLD"}]})).patch or b"")
    response = answered(pod_with("debug", {**APP, "env": large}))
    assert response.patch is not None
    assert abs(len(response.patch) - size) < 50
    paths = {each["path"] for each in json.loads(response.patch)}
    named = ("/metadata/annotations", "/metadata/labels", "/spec/containers/0/env/", "/spec/containers/0/volumeMounts")
    own = ("/spec/containers/1", "/spec/initContainers", "/spec/volumes")
    assert all(path.startswith((*named, *own)) for path in paths), paths


def test_a_pod_that_asks_for_nothing_is_not_read_as_a_whole() -> None:
    def unread() -> Any:
        raise AssertionError("the whole pod was asked for")

    subject = Subject(converted(pod_with(None, APP), Pod, ""), "demo", {names.INJECT: "enabled"}, CONFIGURATION)
    assert injection(subject, sidecar(CONFIGURATION), unread).operations


@given(data=st.data())
def test_any_template_over_any_pod_is_undone_or_refused(
    data: st.DataObject, any_probed_pod: st.SearchStrategy[Any], answered: Callable[..., Response]
) -> None:
    pod, partial = data.draw(any_probed_pod), data.draw(PARTIAL)
    named = st.sampled_from([each["name"] for each in pod["spec"]["containers"]] + ["*", "proa-proxy", "new"])
    for listed in ("containers", "initContainers"):
        for item in (partial.get("spec") or {}).get(listed) or ():
            if data.draw(st.booleans()) and "name" in item:
                item["name"] = data.draw(named)
    try:
        template = PartialPod(metadata=partial.get("metadata") or {}, spec=partial.get("spec") or {})
    except Refused:
        return
    configuration = MeshConfiguration(templates={"any": template}, default_templates=("any",))
    before = copy.deepcopy(pod)
    response = answered(pod, configuration)
    if response.allowed:
        made = jsonpatch.apply_patch(pod, json.loads(response.patch or b"[]"))
        assert same(restored(made), before)


@pytest.mark.parametrize("depth", [100, 600, 900])
def test_brackets_in_a_users_own_container_are_taken_or_refused(depth: int, answered: Callable[..., Response]) -> None:
    deep: Any = {}
    for _ in range(depth):
        deep = {"a": deep}
    pod = pod_with("debug", APP, {"name": "proa-proxy", "image": "auto", "securityContext": deep})
    response = answered(pod)
    assert response.allowed or response.status is not None


HOSTILE = st.text() | st.sampled_from(
    ["$(POD_IP)", "{{ .Values }}", "a\nb: c", '"', "'}]", "gateway,", "sidecar\u2028gateway", "../x", "$patch"]
)


@given(HOSTILE, st.lists(HOSTILE, max_size=3))
def test_no_value_of_a_user_changes_structure(named: str, values: list[str]) -> None:
    own = {"name": "proa-proxy", "image": "auto", "env": [{"name": f"E{n}", "value": v} for n, v in enumerate(values)]}
    pod = pod_with("debug", {**APP, "args": values}, own)
    pod["metadata"]["annotations"] |= {"note": named}
    request = {"uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "object": pod}
    body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()
    try:
        response = admission(
            admission_request(body), {names.INJECT: "enabled"}, CONFIGURATION, sidecar(CONFIGURATION)
        ).response
    except ProaError:
        return
    if response.patch is None:
        return
    made = jsonpatch.apply_patch(pod, json.loads(response.patch))
    assert made["metadata"]["annotations"]["note"] == named
    assert containers(made)["app"]["args"] == values
    proxy = containers(made)["proa-proxy"]
    assert [
        each.get("value") for each in proxy["env"] if each["name"].startswith("E") and each["name"] != "EXTRA"
    ] == values
    assert same(restored(made), pod)
