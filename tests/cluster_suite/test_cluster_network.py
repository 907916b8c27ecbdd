"""The cluster itself: what the tests on it rely on. Two pods, made once, are asked everything."""

import socket
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address

import pytest

from support.kubectl import PEER, Failed, Kubectl, answered, eventually, pod_spec, service, serving, workload

pytestmark = pytest.mark.beside_others

PAGE = "web-"
"""How the web's page begins: with its pod's name."""
FAMILIES = (4, 6)


@pytest.fixture(scope="module")
def shop(kubectl: Kubectl) -> Iterator[Kubectl]:
    with kubectl.new_namespace("cluster-network") as inside:
        inside.apply(
            workload("Deployment", "web", serving()),
            service("web", 8080),
            service("headless", 8080, clusterIP="None", selector={"app": "web"}),
            workload("Deployment", "client", pod_spec("sleep", "infinity")),
        )
        inside.ready("deployment/web", "deployment/client")
        # kube-proxy programs its rules after the endpoints are ready.
        for family in FAMILIES:
            url = f"http://{address(inside.json('service', 'web')['spec']['clusterIPs'], family)}:80/"
            called = partial(answered, inside, url, by="deployment/client", begins=PAGE, container="")
            eventually(called, f"the Service's IPv{family} address")
        yield inside


def address(addresses: list[str], family: int) -> str:
    (found,) = [address for address in addresses if ip_address(address).version == family]
    return f"[{found}]" if family == 6 else found


def answers(shop: Kubectl, host: str, port: int, by: str = "deployment/client") -> bool:
    """Soon: kube-proxy and the cluster's DNS learn of endpoints after they are ready."""
    called = partial(answered, shop, f"http://{host}:{port}/", by=by, begins=PAGE, container="")
    return bool(eventually(called, f"a page of {host}"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pod_reaches_a_pod_by_its_address(shop: Kubectl, family: int) -> None:
    (web,) = shop.json("pods", "--selector=app=web")
    assert answers(shop, address([ip["ip"] for ip in web["status"]["podIPs"]], family), 8080)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pod_reaches_a_service_by_its_address(shop: Kubectl, family: int) -> None:
    addresses = shop.json("service", "web")["spec"]["clusterIPs"]
    assert answers(shop, address(addresses, family), 80)


@pytest.mark.parametrize("name", ["web", "web.cluster-network", "web.cluster-network.svc.cluster.local"])
def test_a_pod_reaches_a_service_by_its_name(shop: Kubectl, name: str) -> None:
    assert answers(shop, name, 80)


def test_a_headless_services_name_is_its_pods_addresses(shop: Kubectl) -> None:
    (web,) = shop.json("pods", "--selector=app=web")
    addresses = [ip["ip"] for ip in web["status"]["podIPs"]]

    def resolved() -> bool:
        try:
            answer = shop.run("nslookup", "headless.cluster-network.svc.cluster.local", of="deployment/client")
        except Failed:
            return False
        return all(ip in answer for ip in addresses)

    eventually(resolved, f"{addresses} by the name")


def test_a_pod_reaches_itself_through_its_service(shop: Kubectl) -> None:
    assert answers(shop, "web", 80, by="deployment/web")


@pytest.mark.parametrize("family", FAMILIES)
def test_this_machine_reaches_pods_and_services(shop: Kubectl, family: int) -> None:
    (web,) = shop.json("pods", "--selector=app=web")
    pods, services = [ip["ip"] for ip in web["status"]["podIPs"]], shop.json("service", "web")["spec"]["clusterIPs"]
    for addresses, port in ((pods, 8080), (services, 80)):
        with socket.create_connection((address(addresses, family).strip("[]"), port), 30) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert connection.makefile().read().partition("\n\n")[2].startswith(PAGE)


def test_a_pods_log_and_its_commands_are_at_hand(shop: Kubectl) -> None:
    assert shop("logs", "deployment/web") == "serving\n"
    assert shop.run("hostname", of="deployment/web").startswith("web-")


def test_a_pod_of_the_restricted_standard_runs_and_one_with_a_host_network_does_not(namespace: Kubectl) -> None:
    namespace("label", "namespace", namespace.namespace, "pod-security.kubernetes.io/enforce=restricted")
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "app", "image": PEER, "command": ["true"], "securityContext": confined}
    spec = {
        "containers": [container],
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "confined"}, "spec": spec}
    namespace.apply(pod)
    namespace("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/confined", "--timeout=120s")
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        namespace.apply({**pod, "metadata": {"name": "bare"}, "spec": {**spec, "hostNetwork": True}})
