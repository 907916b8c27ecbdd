"""The API server asks again: about what another webhook added after Proa's, and after its own plugins."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from proa import names
from support.injecting import in_list, uninjected
from support.kubectl import GONE, PEER, Failed, Kubectl, eventually, pod, pod_spec, serving
from support.mesh import carries
from support.second_webhook import second_webhook

pytestmark = pytest.mark.beside_others

LATER = {
    "name": "later",
    "image": PEER,
    "command": ["sleep", "3600"],
    # Port 8080 is the application's: all containers of a pod have one network.
    "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    "livenessProbe": {"tcpSocket": {"port": 8080}},
}


@pytest.fixture
def extended(injected: Kubectl, namespace: Kubectl) -> Iterator[Kubectl]:
    """A namespace in the mesh whose pods get another container from a webhook that is called after Proa's."""
    objects, registration = second_webhook(namespace.namespace, LATER, injected.namespace)
    with ExitStack() as cleanup:
        namespace.create(*objects)
        namespace.ready("pod/second")
        name = registration["metadata"]["name"]
        cleanup.callback(injected, "delete", "mutatingwebhookconfiguration", name, *GONE)
        injected.create(registration)
        eventually(lambda: containers(rehearsed(injected)) == ["app", "later"], "the second webhook's container")
        yield injected


def rehearsed(inside: Kubectl) -> dict[str, Any]:
    example = pod("rehearsed", pod_spec("true"))
    try:
        return json.loads(inside("create", "--dry-run=server", "--filename=-", "--output=json", given=example))
    except Failed:
        # Until every part of the API server knows the registration and the server's address.
        return {"spec": {"containers": []}}


def containers(found: dict[str, Any]) -> list[str]:
    return [each["name"] for each in found["spec"]["containers"]]


def mounts_a_token(container: dict[str, Any]) -> bool:
    return any(each["name"].startswith("kube-api-access") for each in container["volumeMounts"])


def test_a_container_that_a_later_webhook_adds_has_its_probes_covered_and_the_pod_gets_ready(extended: Kubectl) -> None:
    extended.create(pod("web", serving()))
    extended.ready("pod/web")
    found = extended.json("pod/web")
    assert carries(found)
    assert containers(found) == ["app", "later"]
    later, app = in_list(found, "containers", "later"), in_list(found, "containers", "app")
    ports = [later[probe]["httpGet"]["port"] for probe in ("readinessProbe", "livenessProbe")]
    assert all(port in range(names.PROBE_PORTS, names.PROBE_PORTS + 100) for port in ports)
    assert app["readinessProbe"]["httpGet"]["port"] == later["readinessProbe"]["httpGet"]["port"]
    proxy = in_list(found, "initContainers", names.PROXY_CONTAINER)
    assert f"probe-{ports[1]}" in proxy["args"][-1]
    # What the API server's own plugins gave the sidecar between the two calls.
    assert mounts_a_token(proxy)


def test_what_a_later_webhook_added_stays_when_the_injection_is_undone(extended: Kubectl) -> None:
    extended.create(pod("web", serving()))
    restored = uninjected(extended.json("pod/web"))
    later = in_list(restored, "containers", "later")
    assert later["readinessProbe"]["httpGet"]["port"] == 8080
    assert later["livenessProbe"]["tcpSocket"] == {"port": 8080}
    assert in_list(restored, "containers", "app")["readinessProbe"]["httpGet"]["port"] == "http"
    assert not carries(restored)
    assert names.STATUS not in restored["metadata"].get("annotations", {})


def test_an_ordinary_pods_sidecar_keeps_what_the_api_servers_plugins_gave_it(injected: Kubectl) -> None:
    injected.create(pod("web", serving()))
    found = injected.json("pod/web")
    for name in (names.INIT_CONTAINER, names.PROXY_CONTAINER):
        assert mounts_a_token(in_list(found, "initContainers", name))


def test_a_copy_of_a_running_pod_is_as_the_pod_was(injected: Kubectl) -> None:
    injected.create(pod("web", serving()))
    injected.ready("pod/web")
    copied = injected.json("pod/web")
    node, account = copied["spec"].pop("nodeName"), copied["spec"]["initContainers"]
    assert node
    copied["metadata"] = {"name": "copy", "annotations": copied["metadata"]["annotations"]}
    del copied["status"]
    injected.create(copied)
    injected.ready("pod/copy")
    assert injected.json("pod/copy")["spec"]["initContainers"] == account


def test_a_forged_record_takes_out_nothing_of_another_webhooks(extended: Kubectl) -> None:
    record = {"version": 3, "proa": "", "fingerprint": "", "initContainers": [], "volumes": []}
    record |= {"annotations": [names.STATUS], "containers": ["later"], "absent": ["/spec/containers"]}
    extended.create(pod("web", serving(), annotations={names.STATUS: json.dumps(record)}))
    found = extended.json("pod/web")
    assert carries(found)
    assert containers(found) == ["app", "later"]


OWN = {"name": names.PROXY_CONTAINER, "image": "auto", "env": [{"name": "MINE", "value": "1"}]}


def test_a_users_own_proxy_container_is_one_sidecar_after_both_calls(injected: Kubectl) -> None:
    spec = serving()
    spec["containers"].append(OWN)
    injected.create(pod("web", spec))
    injected.ready("pod/web")
    found = injected.json("pod/web")
    assert containers(found) == ["app"]
    proxy = in_list(found, "initContainers", names.PROXY_CONTAINER)
    assert [each["name"] for each in proxy["env"]].count("MINE") == 1
    assert mounts_a_token(proxy)
    assert containers(uninjected(found)) == ["app", names.PROXY_CONTAINER]


def test_a_gateway_is_only_a_proxy_after_both_calls_and_gets_ready(injected: Kubectl) -> None:
    spec = {"containers": [{**OWN, "ports": [{"containerPort": 8443}]}], "terminationGracePeriodSeconds": 0}
    injected.create(pod("edge", spec, annotations={names.TEMPLATES: "gateway"}))
    injected.ready("pod/edge")
    found = injected.json("pod/edge")
    assert containers(found) == [names.PROXY_CONTAINER]
    assert found["spec"].get("initContainers", []) == []
    assert names.STATUS in found["metadata"]["annotations"]
    (restored,) = uninjected(found)["spec"]["containers"]
    assert restored["image"] == "auto"
