"""What pods ask for of their sidecars by annotations: taken by the real API server, run by the real kubelet."""

import json
from functools import partial
from typing import Any

import pytest

from proa import names
from support.kubectl import PEER, Failed, Kubectl, answered, eventually, pod, pod_spec, service, serving
from support.mesh import connections
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
    },
    "traffic": {
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


def test_a_regular_sidecar_runs_beside_the_app_and_ends_with_it(injected: Kubectl) -> None:
    spec = {**serving(), "initContainers": [FIRST], "terminationGracePeriodSeconds": 10}
    asked = asking({"sidecar": "regular", "termination-drain": "1s", "log-format": "json"})
    injected.apply(pod("web", spec, annotations=asked))
    injected.ready("pod/web")
    found = injected.json("pod/web")
    assert [each["name"] for each in found["spec"]["initContainers"]] == ["first", names.INIT_CONTAINER]
    assert [each["name"] for each in found["spec"]["containers"]] == ["app", names.PROXY_CONTAINER]
    injected("delete", "pod/web", "--timeout=30s")


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
    eventually(lambda: captured in dialled(), "the call to the Service in the client's log", 20, pause=1)
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

    eventually(lambda: f"{ip}:8443" in taken(), "the call to the other port in the web's log", 20, pause=1)
    assert f"{ip}:8080" not in taken()
