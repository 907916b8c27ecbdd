"""What pods ask for of their sidecars by annotations: taken by the real API server, run by the real kubelet."""

import json
from functools import partial
from typing import Any

import pytest

from proa import names
from support.injecting import uninjected
from support.kubectl import PEER, Failed, Kubectl, answered, eventually, pod, pod_spec, service, serving
from support.mesh import address, connections
from webhook.vocabulary import QUANTITIES, SETTINGS

pytestmark = pytest.mark.beside_others

FIRST = {"name": "first", "image": PEER, "command": ["true"]}
ASKED = {
    "each-resource": {each.name: "64Mi" if "cpu" not in each.name else "200m" for each in QUANTITIES},
    "no-resource": {each.name: "none" for each in QUANTITIES},
    "native": {
        "place": "after:first",
        "concurrency": "3",
        "drain-time": "30s",
        "termination-drain": "2s",
        "log-level": "debug",
        "component-log-level": "upstream:info,config:trace",
        "log-format": "json",
        "access-log": "off",
        "proxy-image": "registry.example:5000/envoy:v1.40.0",
        "rewrite-probes": "false",
        "dns": "10.96.0.10,fd96::a",
    },
    "traffic": {
        "inbound-mode": "tproxy:7:77",
        "include-inbound-ports": "8080-8090",
        "exclude-inbound-ports": "8085",
        "include-outbound-cidrs": "10.0.0.0/8",
        "exclude-outbound-cidrs": "10.1.0.0/16",
        "include-outbound-ports": "1-1024",
        "exclude-outbound-ports": "22",
        "outbound-ports-anywhere": "443",
        "exclude-interfaces": "net1",
        "virtual-interfaces": "k6t0",
        "exclude-users": "65534:9000",
        "include-gids": "0-60000",
        "exclude-gids": "7",
        "udp": "reject",
        "quic": "drop",
        "ipv4": "capture",
        "ipv6": "bypass",
        "drop-invalid": "true",
        "log-rate": "1",
    },
    "regular": {"sidecar": "regular", "hold": "true", "termination-drain": "3s"},
}


def asking(settings: dict[str, str]) -> dict[str, str]:
    return {f"{names.PREFIX}/{name}": text for name, text in settings.items()}


def of_proa(found: dict[str, Any]) -> set[str]:
    every = (*found["spec"]["initContainers"], *found["spec"]["containers"])
    return {container["name"] for container in every} & {names.INIT_CONTAINER, names.PROXY_CONTAINER}


def test_every_setting_is_asked_for_here() -> None:
    assert {name for settings in ASKED.values() for name in settings} == {each.name for each in SETTINGS}


@pytest.mark.parametrize("settings", ASKED.values(), ids=ASKED)
def test_the_api_server_takes_a_pod_with_what_it_asks_for(injected: Kubectl, settings: dict[str, str]) -> None:
    spec = pod_spec("true", initContainers=[FIRST], terminationGracePeriodSeconds=10)
    rehearsed = ("create", "--dry-run=server", "--filename=-", "--output=json")
    found = json.loads(injected(*rehearsed, given=pod("app", spec, annotations=asking(settings))))
    assert of_proa(found) == {names.INIT_CONTAINER, names.PROXY_CONTAINER}


SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing that a patch needs": ({}, {}),
    "something of everything": (
        {"annotations": {"example.com/slash": 'quo"te\nand: a line'}, "labels": {"example.com/slash": "a"}},
        {
            "initContainers": [FIRST],
            "containers": [{"name": name, "image": PEER, "command": ["true"]} for name in ("app", "other")],
            "volumes": [{"name": "data", "emptyDir": {}}],
            "imagePullSecrets": [{"name": "registry"}],
        },
    ),
    "two thousand variables": (
        {},
        {"containers": [{"name": "app", "image": PEER, "env": [{"name": f"V_{each}"} for each in range(2000)]}]},
    ),
}


@pytest.mark.parametrize(("metadata", "spec"), SHAPES.values(), ids=SHAPES)
def test_a_pod_of_any_shape_is_taken_and_given_back(
    injected: Kubectl, namespace: Kubectl, metadata: dict[str, Any], spec: dict[str, Any]
) -> None:
    """The original is the same pod as the API server makes it where nobody injects."""
    sent = pod("app", pod_spec("true", automountServiceAccountToken=False, **spec), **metadata)
    made, plain = (
        json.loads(inside("create", "--dry-run=server", "--filename=-", "--output=json", given=sent))
        for inside in (injected, namespace)
    )
    assert of_proa(made) == {names.INIT_CONTAINER, names.PROXY_CONTAINER}
    back = uninjected(made)
    assert back["spec"] == plain["spec"]
    for each in ("annotations", "labels"):
        assert back["metadata"].get(each) == plain["metadata"].get(each)


WRONG = {
    "exclude-outbound-cidrs": "10.0.0.0/33",
    "include-inbound-ports": "70000",
    "proxy-memory-limit": "plenty",
    "log-level": 'debug"\n- --config-yaml',
    "templates": "unknown",
}


def test_the_api_server_refuses_a_pod_with_all_that_is_wrong_with_it(injected: Kubectl) -> None:
    with pytest.raises(Failed) as refused:
        injected.create(pod("app", pod_spec("true"), annotations=asking(WRONG)))
    for key in WRONG:
        assert f"metadata.annotations['{names.PREFIX}/{key}']: found" in refused.value.output


def test_a_regular_sidecar_runs_beside_the_app_and_ends_with_it(injected: Kubectl) -> None:
    spec = {**serving(), "initContainers": [FIRST], "terminationGracePeriodSeconds": 10}
    asked = asking({"sidecar": "regular", "termination-drain": "1s", "log-format": "json"})
    injected.apply(pod("web", spec, annotations=asked))
    injected.ready("pod/web")
    found = injected.json("pod/web")
    assert [each["name"] for each in found["spec"]["initContainers"]] == ["first", names.INIT_CONTAINER]
    assert [each["name"] for each in found["spec"]["containers"]] == ["app", names.PROXY_CONTAINER]
    injected("delete", "pod/web", "--timeout=90s")


def test_a_native_sidecar_behind_a_named_init_container_starts_and_the_app_after_it(injected: Kubectl) -> None:
    spec = {**serving(), "initContainers": [FIRST]}
    injected.apply(pod("web", spec, annotations=asking({"place": "after:first", "concurrency": "1"})))
    injected.ready("pod/web")
    found = injected.json("pod/web")["spec"]["initContainers"]
    assert [each["name"] for each in found] == ["first", names.INIT_CONTAINER, names.PROXY_CONTAINER]


def test_a_port_that_an_annotation_excludes_passes_by_the_sidecar(injected: Kubectl) -> None:
    injected.apply(
        pod("web", serving(), labels={"app": "web"}),
        service("web", 8080),
        pod("client", serving(), annotations=asking({"exclude-outbound-ports": "8000-8100"})),
    )
    injected.ready("pod/web", "pod/client")
    (container,) = (
        each for each in injected.json("pod/client")["spec"]["initContainers"] if each["name"] == names.INIT_CONTAINER
    )
    assert container["args"] == ["--exclude-outbound-ports=8000-8100"]
    direct = f"{injected.json('pod/web')['status']['podIP']}:8080"
    captured = f"{injected.json('service/web')['spec']['clusterIP']}:80"
    called = partial(answered, injected, by="pod/client", begins="web ")
    assert called(f"http://{direct}/")
    # kube-proxy programs its rules after the endpoints are ready.
    eventually(lambda: called(f"http://{captured}/"), "the Service's address")

    def dialled() -> set[str]:
        return {call["original_destination"] for call in connections(injected, "client")}

    # Of the two the direct call was the first, and Envoy writes its lines in their order.
    eventually(lambda: captured in dialled(), "the call to the Service in the client's log")
    assert direct not in dialled()


def test_an_excluded_inbound_port_is_reached_without_the_sidecar_of_its_pod(injected: Kubectl) -> None:
    injected.apply(
        pod("web", serving(), annotations=asking({"exclude-inbound-ports": "8080"})), pod("client", serving())
    )
    injected.ready("pod/web", "pod/client")
    ip = injected.json("pod/web")["status"]["podIP"]
    assert injected.run("peer", "get", f"http://{ip}:8080/", of="pod/client", container="app").startswith("web ")
    with pytest.raises(Failed):  # the other port speaks TLS; its call is the one that the sidecar sees
        injected.run("peer", "get", f"http://{ip}:8443/", of="pod/client", container="app")

    def taken() -> set[str]:
        return {call["original_destination"] for call in connections(injected, "web")}

    eventually(lambda: f"{ip}:8443" in taken(), "the call to the other port in the web's log")
    assert f"{ip}:8080" not in taken()


def test_an_app_behind_tproxy_sees_its_clients_own_addresses(injected: Kubectl) -> None:
    """Its sidecar takes the connections nevertheless, answers the kubelet's probes, and lets the app call itself."""
    asked = asking({"inbound-mode": "tproxy"})
    injected.apply(pod("web", serving(), annotations=asked), pod("client", serving()))
    injected.ready("pod/web", "pod/client")
    found = {name: injected.json(f"pod/{name}") for name in ("web", "client")}
    for family in (4, 6):
        url = f"http://{address(found['web'], family)}:8080/"
        for name, caller in found.items():
            answer = injected.run("peer", "get", url, of=f"pod/{name}", container="app").split()
            assert (answer[0], answer[-1].rpartition(":")[0]) == ("web", address(caller, family))

    def passed() -> set[str]:
        return {call["upstream_local"].rpartition(":")[0] for call in connections(injected, "web")}

    clients = {address(found["client"], family) for family in (4, 6)}
    eventually(lambda: clients <= passed(), "the client's calls in the web's log")


def test_an_apps_questions_are_answered_through_its_sidecar_whatever_its_name_servers_family(injected: Kubectl) -> None:
    servers = injected.within("kube-system").json("service/kube-dns")["spec"]["clusterIPs"]
    asked = asking({"dns": ",".join(servers)})
    resolving = {"searches": [f"{injected.namespace}.svc.cluster.local"], "options": [{"name": "ndots", "value": "5"}]}
    pods = {f"asking-{number}": server for number, server in enumerate(servers)}
    injected.apply(pod("web", serving(), labels={"app": "web"}), service("web", 8080))
    for name, server in pods.items():
        spec = {**serving(), "dnsPolicy": "None", "dnsConfig": {"nameservers": [server], **resolving}}
        injected.apply(pod(name, spec, annotations=asked))
    injected.ready("pod/web", *(f"pod/{name}" for name in pods))
    assert len(pods) == 2
    for name in pods:
        eventually(partial(answered, injected, "http://web/", by=f"pod/{name}", begins="web "), f"{name}'s question")
        url = f"http://127.0.0.1:{names.METRICS_PORT}{names.METRICS_PATH}"
        metrics = injected.run("peer", "get", url, of=f"pod/{name}", container="app").splitlines()
        (questions,) = (line for line in metrics if line.startswith("envoy_udp_downstream_sess_total"))
        assert int(questions.split()[-1]) > 0
