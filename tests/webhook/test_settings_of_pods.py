"""What becomes of a pod that asks for something: through the whole of admission, and out of it again."""

import copy
import itertools
import json
from collections.abc import Callable
from typing import Any

import jsonpatch
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.containers import Proxy, SidecarKind
from proa.mesh import MeshConfiguration, PeerTls, Vocabulary, mesh_configuration
from webhook.admission import admission
from webhook.review import Response, admission_request
from webhook.sidecar import sidecar
from webhook.uninjection import uninjection
from webhook.vocabulary import SETTINGS

STRICT = MeshConfiguration(peer_tls=PeerTls.STRICT)
PROBED = {"name": "app", "readinessProbe": {"httpGet": {"port": 80}}, "livenessProbe": {"tcpSocket": {"port": 80}}}
ReviewOf = Callable[..., bytes]


def pod_with(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    settings = {f"proa.dev/{key.replace('_', '-')}": value for key, value in (annotations or {}).items()}
    return {
        "metadata": {"name": "web", "labels": {names.INJECT: "enabled"}, "annotations": settings},
        "spec": {"containers": [copy.deepcopy(PROBED), {"name": "log"}], "restartPolicy": "Always", **spec},
    }


@pytest.fixture
def respond(review_of: ReviewOf) -> Callable[..., Response]:
    def answer(pod: Any, configuration: MeshConfiguration = MeshConfiguration()) -> Response:  # noqa: B008 - a value
        request = admission_request(review_of(pod))
        return admission(request, {}, configuration, sidecar(configuration)).response

    return answer


@pytest.fixture
def admitted(respond: Callable[..., Response]) -> Callable[..., Any]:
    def apply(pod: Any, configuration: MeshConfiguration = MeshConfiguration()) -> Any:  # noqa: B008 - a value
        response = respond(pod, configuration)
        assert response.allowed, response.status
        assert response.patch is not None
        return jsonpatch.apply_patch(pod, json.loads(response.patch))

    return apply


def listed(pod: Any, where: str) -> list[str]:
    return [container["name"] for container in pod["spec"].get(where, [])]


def proxy_of(pod: Any) -> Any:
    every = pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    (found,) = (container for container in every if container["name"] == names.PROXY_CONTAINER)
    return found


def arguments(pod: Any) -> dict[str, str]:
    args = proxy_of(pod)["args"]
    return dict(itertools.pairwise(args))


def test_a_native_sidecar_is_before_the_pods_own_init_containers(admitted: Any) -> None:
    pod = admitted(pod_with(initContainers=[{"name": "migrate"}]))
    assert listed(pod, "initContainers") == ["proa-init", "proa-proxy", "migrate"]
    assert listed(pod, "containers") == ["app", "log"]
    assert "lifecycle" not in proxy_of(pod)


@pytest.mark.parametrize(
    ("place", "order"),
    [
        ("last", ["a", "b", "proa-init", "proa-proxy"]),
        ("before:b", ["a", "proa-init", "proa-proxy", "b"]),
        ("after:a", ["a", "proa-init", "proa-proxy", "b"]),
    ],
)
def test_a_native_sidecar_stands_where_it_is_asked_to(admitted: Any, place: str, order: list[str]) -> None:
    pod = admitted(pod_with({"place": place}, initContainers=[{"name": "a"}, {"name": "b"}]))
    assert listed(pod, "initContainers") == order
    assert pod["spec"]["initContainers"][order.index("proa-init")]["command"][1].startswith("--exclude-inbound-ports=")
    assert proxy_of(pod)["args"][-2] == "--config-yaml"


@pytest.mark.parametrize("init", [None, [], [{"name": "migrate"}]])
def test_a_regular_sidecar_is_the_last_container_behind_all_init_containers(admitted: Any, init: Any) -> None:
    spec = {} if init is None else {"initContainers": init}
    pod = admitted(pod_with({"sidecar": "regular"}, **spec))
    assert listed(pod, "initContainers") == [*(each["name"] for each in init or ()), "proa-init"]
    assert listed(pod, "containers") == ["app", "log", "proa-proxy"]
    assert "restartPolicy" not in proxy_of(pod)
    assert proxy_of(pod)["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert proxy_of(pod)["args"][-2] == "--config-yaml"
    assert pod["spec"]["containers"][0]["readinessProbe"]["httpGet"]["port"] == 15100


def test_a_regular_sidecar_that_holds_the_app_is_first_and_its_hook_waits(admitted: Any) -> None:
    pod = admitted(pod_with({"sidecar": "regular", "hold": "true", "termination_drain": "1h"}))
    assert listed(pod, "containers") == ["proa-proxy", "app", "log"]
    hooks = proxy_of(pod)["lifecycle"]
    assert hooks["postStart"]["exec"]["command"][-2:] == ["15021", "/healthz/ready"]
    assert hooks["preStop"] == {"sleep": {"seconds": 30}}
    assert pod["spec"]["containers"][1]["readinessProbe"]["httpGet"]["port"] == 15100


def test_the_configuration_may_make_regular_sidecars_the_rule(admitted: Any) -> None:
    rule = MeshConfiguration(proxy=Proxy(sidecar=SidecarKind.REGULAR))
    assert listed(admitted(pod_with(), rule), "containers")[-1] == "proa-proxy"
    assert proxy_of(admitted(pod_with(terminationGracePeriodSeconds=2), rule))["lifecycle"]["preStop"] == {
        "sleep": {"seconds": 2}
    }
    assert listed(admitted(pod_with({"sidecar": "native"}), rule), "initContainers")[-1] == "proa-proxy"


def test_a_sidecar_in_either_place_is_found_there_the_next_time(admitted: Any, respond: Any) -> None:
    once = admitted(pod_with({"sidecar": "regular"}))
    again = respond(once)
    assert again.allowed
    assert again.patch is None


def test_what_is_asked_for_reaches_envoys_command_line(admitted: Any) -> None:
    pod = admitted(
        pod_with(
            {
                "concurrency": "3",
                "drain_time": "45s",
                "log_level": "debug",
                "component_log_level": "upstream:trace",
                "log_format": "json",
                "proxy_image": "mirror/envoy:v2",
                "access_log": "off",
            }
        )
    )
    told = arguments(pod)
    assert (told["--concurrency"], told["--drain-time-s"], told["--log-level"]) == ("3", "45", "debug")
    assert told["--component-log-level"] == "upstream:trace"
    assert json.loads(told["--log-format"])["message"] == "%j"
    assert proxy_of(pod)["image"] == "mirror/envoy:v2"
    assert "StdoutAccessLog" not in pod["metadata"]["annotations"][names.BOOTSTRAP]
    assert "StdoutAccessLog" in admitted(pod_with())["metadata"]["annotations"][names.BOOTSTRAP]


@pytest.mark.parametrize(
    ("asked", "threads"),
    [
        ({}, "2"),
        ({"proxy_cpu_limit": "500m"}, "1"),
        ({"proxy_cpu_limit": "6500m"}, "7"),
        ({"proxy_cpu_limit": "9999"}, "256"),
        ({"proxy_cpu_limit": "none"}, "2"),
        ({"proxy_cpu_limit": "4", "concurrency": "1"}, "1"),
    ],
)
def test_envoy_has_a_thread_for_each_cpu_that_the_pod_lets_it_use(
    admitted: Any, asked: dict[str, str], threads: str
) -> None:
    assert arguments(admitted(pod_with(asked)))["--concurrency"] == threads


def test_resources_are_each_containers_own(admitted: Any) -> None:
    pod = admitted(pod_with({"proxy_memory_limit": "none", "init_cpu_limit": "1"}))
    (init, proxy) = pod["spec"]["initContainers"]
    assert proxy["resources"] == {"requests": {"cpu": "50m", "memory": "64Mi"}}
    assert init["resources"] == {
        "requests": {"cpu": "10m", "memory": "32Mi"},
        "limits": {"memory": "64Mi", "cpu": "1"},
    }


def test_a_pod_with_resources_as_a_whole_gives_the_sidecar_no_defaults(admitted: Any) -> None:
    pod = admitted(pod_with({"proxy_cpu_request": "10m"}, resources={"limits": {"cpu": "1"}}))
    assert [each["resources"] for each in pod["spec"]["initContainers"]] == [{}, {"requests": {"cpu": "10m"}}]


def test_probes_stay_where_the_pod_asks_for_it(admitted: Any, respond: Any) -> None:
    original = pod_with({"rewrite_probes": "false"})
    pod = admitted(original)
    assert pod["spec"]["containers"] == original["spec"]["containers"]
    assert "--config-yaml" not in proxy_of(pod)["args"]
    assert respond(original).warnings == ()
    (warning,) = respond(original, STRICT).warnings
    assert "these probes will fail" in warning


@pytest.mark.parametrize(
    ("annotations", "spec", "words"),
    [
        ({"sidecar": "regular"}, {"restartPolicy": "Never"}, "the pod will not complete"),
        ({"sidecar": "regular", "place": "first"}, {"initContainers": [{"name": "a"}]}, "they have no network"),
        (
            {"sidecar": "regular", "hold": "true", "proxy_image": "envoyproxy/envoy:distroless-v1.40.0"},
            {},
            "a distroless image has not",
        ),
        ({"log_levle": "debug"}, {}, "did you mean proa.dev/log-level?"),
    ],
)
def test_what_will_hardly_work_is_warned_of_and_let_in(
    respond: Any, annotations: dict[str, str], spec: dict[str, Any], words: str
) -> None:
    response = respond(pod_with(annotations, **spec))
    assert response.allowed
    (warning,) = response.warnings
    assert words in warning


def test_every_problem_of_a_pod_is_told_at_once_and_nothing_is_patched(respond: Any) -> None:
    pod = pod_with({"place": "before:x", "concurrency": "0", "proxy_memory_request": "1Gi", "hold": "maybe"})
    pod["spec"]["volumes"] = [{"name": names.IDENTITY_VOLUME}]
    response = respond(pod)
    assert (response.allowed, response.patch) == (False, None)
    for field in ("place", "concurrency", "proxy-memory-request", "hold"):
        assert f"metadata.annotations['proa.dev/{field}']: found" in response.status.message
    assert "spec.volumes[0].name" in response.status.message


def test_istios_names_work_with_istios_vocabulary(admitted: Any, respond: Any) -> None:
    istio = MeshConfiguration(vocabulary=Vocabulary.ISTIO)
    pod = pod_with()
    pod["metadata"]["annotations"] = {"sidecar.istio.io/proxyCPULimit": "3", "proxy.istio.io/config": "tracing: {}"}
    injected = admitted(pod, istio)
    assert proxy_of(injected)["resources"] == {"limits": {"cpu": "3"}}
    assert arguments(injected)["--concurrency"] == "3"
    assert [warning[-30:] for warning in respond(pod, istio).warnings] == ["effect: Proa has nothing for it"[-30:]]
    assert proxy_of(admitted(pod))["resources"] != {"limits": {"cpu": "3"}}


def test_kubectl_means_the_app_unless_the_pod_says_another(admitted: Any) -> None:
    assert admitted(pod_with())["metadata"]["annotations"][names.DEFAULT_CONTAINER] == "app"
    pod = pod_with()
    pod["metadata"]["annotations"] = {names.DEFAULT_CONTAINER: "log"}
    assert admitted(pod)["metadata"]["annotations"][names.DEFAULT_CONTAINER] == "log"


SCRAPED = [
    {},
    {"prometheus.io/scrape": "true", "prometheus.io/port": "80", "prometheus.io/path": "/m"},
    {"prometheus.io/scrape": "false"},
    {"prometheus.io.scrape": "true", "prometheus-io/port": "80"},
    {"prometheus.io/scrape": "true", "prometheus.io/port": "15090"},
    {"prometheus.io/scrape": "true", "prometheus.io/port": "no number"},
    {"prometheus.istio.io/scrape-targets": "80:/m,81"},
]


@pytest.mark.parametrize("vocabulary", ["proa", "istio"])
@pytest.mark.parametrize("scraped", SCRAPED)
def test_scrape_annotations_of_the_app_stay_whatever_they_say_and_the_proxys_port_has_a_name(
    scraped: dict[str, str], vocabulary: str, admitted: Any
) -> None:
    pod = pod_with()
    pod["metadata"]["annotations"] = {**scraped}
    found = admitted(pod, mesh_configuration(f"vocabulary: {vocabulary}"))
    annotations = found["metadata"]["annotations"]
    assert {key: value for key, value in annotations.items() if "prometheus" in key} == scraped
    assert {"name": "proa-metrics", "containerPort": 15090, "protocol": "TCP"} in proxy_of(found)["ports"]


TEXTS: dict[str, list[str]] = {
    "sidecar": ["native", "regular"],
    "place": ["first", "last", "before:c-0", "after:c-0"],
    "hold": ["true", "false"],
    "termination-drain": ["0", "7s", "1h"],
    "rewrite-probes": ["true", "false"],
    "access-log": ["json", "off"],
    "proxy-cpu-limit": ["none", "2"],
    "log-format": ["json", "text"],
}
ASKED = st.fixed_dictionaries(
    {}, optional={f"proa.dev/{name}": st.sampled_from(texts) for name, texts in TEXTS.items()}
)


@given(asked=ASKED, data=st.data())
def test_any_pod_with_any_settings_keeps_its_own_and_can_be_given_back(
    asked: dict[str, str],
    data: st.DataObject,
    any_probed_pod: st.SearchStrategy[Any],
    review_of: ReviewOf,
) -> None:
    pod = data.draw(any_probed_pod)
    pod["metadata"] = pod.get("metadata") or {}
    pod["metadata"]["annotations"] = (pod["metadata"].get("annotations") or {}) | asked
    request = admission_request(review_of(pod))
    configuration = MeshConfiguration()
    response = admission(request, {names.INJECT: "enabled"}, configuration, sidecar(configuration)).response
    if not response.allowed:
        assert response.status is not None
        assert "proa.dev/place" in response.status.message
        return
    assert response.patch is not None
    injected = jsonpatch.apply_patch(pod, json.loads(response.patch))
    own = {names.INIT_CONTAINER, names.PROXY_CONTAINER}
    for where in ("initContainers", "containers"):
        kept = [name for name in listed({"spec": {where: injected["spec"].get(where) or []}}, where) if name not in own]
        assert kept == listed({"spec": {where: pod["spec"].get(where) or []}}, where)
    back = jsonpatch.apply_patch(injected, json.loads(msgspec.json.encode(uninjection(injected))))
    assert back == pod


HOSTILE = st.text() | st.sampled_from(['"}],"x":[{', "$(POD_IP)", "none\n", "../..", "{{ .Values }}", "'; rm -rf /"])


@given(st.dictionaries(st.sampled_from([setting.key for setting in SETTINGS]), HOSTILE, min_size=1))
def test_no_value_changes_the_structure_of_what_is_added(
    values: dict[str, str],
) -> None:
    pod = {"metadata": {"annotations": values}, "spec": {"containers": [{"name": "app"}]}}
    kind = {"version": "v1", "kind": "Pod"}
    review = {"uid": "1", "kind": kind, "operation": "CREATE", "namespace": "demo", "object": pod}
    body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": review}).encode()
    configuration = mesh_configuration("")
    response = admission(
        admission_request(body), {names.INJECT: "enabled"}, configuration, sidecar(configuration)
    ).response
    if not response.allowed:
        assert response.status is not None
        return
    assert response.patch is not None
    proxy = proxy_of(jsonpatch.apply_patch(pod, json.loads(response.patch)))
    ordinary = json.loads(bytes(sidecar(configuration).proxy))
    assert proxy.keys() - {"lifecycle"} == ordinary.keys() - {"restartPolicy"} | (
        {"restartPolicy"} if "restartPolicy" in proxy else set()
    )
    for member in ("command", "env", "ports", "securityContext", "volumeMounts"):
        assert proxy[member] == ordinary[member]
