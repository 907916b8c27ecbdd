"""Bring the cluster up. Shell."""

import json
import ssl
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from launcher import builds, commands, configuration, machine, node, packing
from launcher.certificates import ADMIN, CLIENTS
from launcher.commands import Part
from launcher.failures import NotInTime
from launcher.layout import (
    CNI_CONFIGURATION,
    COMMANDS,
    CONTAINERD_SOCKET,
    KUBECONFIG,
    KUBERNETES,
    NODE,
    PKI,
    SERVER,
    STATE,
    on_machine,
)
from launcher.pki import make_certificates

_DNS: Final = Path(__file__).parent.parent / "coredns" / "dns.yaml"
_KUBELET: Final = "kubelet.json"
_OF_A_NODE: Final = frozenset({"kubelet", "kube-proxy"})
"""Parts that need the Node object: the kubelet registers it once, as it starts; kube-proxy ends where it is deleted."""

Tell = Callable[[str], None]


def bring_up(tell: Tell) -> None:
    """From nothing to a node that is Ready and names that resolve; *tell* is given each step before it is done."""
    tell("building Kubernetes, CoreDNS and pause (about 15 minutes where nothing is cached)")
    kubernetes = builds.built(builds.KUBERNETES)
    images = packing.own_images()
    tell("making the node")
    running = [node.start_node(kubernetes.parent)]
    node.connect_node()
    _write_files(kubernetes)
    tell("starting etcd, the API server and containerd")
    running += [node.start(part) for part in commands.first_parts()]
    node.wait(running, "containerd's socket", CONTAINERD_SOCKET.exists, 90)
    for image in images:
        tell(f"importing {image.name}")
        packing.import_image(image)
    tell("waiting for the API server")
    node.wait(running[:-1], "the API server", _api_server_ready, 180)
    tell("starting the other parts")
    running += [node.start(part) for part in commands.other_parts()]
    kubectl("apply", "--filename", str(_DNS))
    tell("waiting for the node")
    node.wait(running[:-3], "the node's readiness", _node_ready, 180)
    tell("the node is Ready; waiting for cluster DNS")
    node.wait(running, "cluster DNS", _dns_ready, 180)


def restart(parts: Sequence[Part]) -> None:
    """Kill *parts* of a cluster that is up, and bring them back. Raises NotInTime where the node lives no more."""
    before = _heartbeat()
    running = [node.restart(part) for part in parts]

    def lives() -> bool:
        running[:] = [node.lasting(each) for each in running]
        return _heartbeat() > before

    if not machine.came_true(lives, 120):
        raise NotInTime("the node's life", 120, node.last_lines(parts[-1].name))


def register(taints: Sequence[str]) -> None:
    """Have the node registered anew, with *taints* of these keys, as one that boots for the first time.

    Its pods run on and stay bound to it: Kubernetes collects them forty seconds after their Node has gone, and looks
    again before it does (pkg/controller/podgc).
    """
    parts = [part for part in commands.other_parts() if part.name in _OF_A_NODE]
    for part in parts:
        node.end(part)
    kubectl("delete", "node", NODE)
    file = on_machine(KUBERNETES) / _KUBELET
    file.write_text(configuration.kubelet(taints), encoding="utf-8")
    try:
        node.wait([node.start(part) for part in parts], "the node's readiness", _node_ready, 120)
    finally:
        # It is read once: the next kubelet is the former one again.
        file.write_text(configuration.kubelet(), encoding="utf-8")


def _heartbeat() -> str:
    """When the kubelet told last that it lives."""
    lease = ("get", "--namespace=kube-node-lease", "leases", "--output=jsonpath={.items[*].spec.renewTime}")
    return kubectl(*lease)


def kubectl(*arguments: str) -> str:
    """What kubectl wrote. Its cache of the API's kinds stays out of the user's home."""
    options = (f"--kubeconfig={KUBECONFIG}", f"--cache-dir={STATE / 'kubectl'}")
    return machine.run((str(COMMANDS / "kubectl"), *options, *arguments))


def _write_files(kubernetes: Path) -> None:
    pki = on_machine(PKI)
    make_certificates(pki)
    documents = {
        "containerd.toml": configuration.CONTAINERD,
        _KUBELET: configuration.kubelet(),
        "kube-proxy.json": configuration.kube_proxy(),
        "resolv.conf": configuration.resolver(),
        **{f"{client.file}.kubeconfig": configuration.kubeconfig(client) for client in CLIENTS},
    }
    for name, text in documents.items():
        (on_machine(KUBERNETES) / name).write_text(text, encoding="utf-8")
    network = on_machine(CNI_CONFIGURATION)
    network.mkdir(parents=True)
    (network / "pods.conflist").write_text(configuration.pod_network(), encoding="utf-8")
    KUBECONFIG.touch(mode=0o600)
    files = (pki / name for name in ("ca.crt", f"{ADMIN.file}.crt", f"{ADMIN.file}.key"))
    KUBECONFIG.write_text(configuration.portable_kubeconfig(*(file.read_bytes() for file in files)), encoding="utf-8")
    COMMANDS.mkdir()
    (COMMANDS / "kubectl").symlink_to(kubernetes)


def _api_server_ready() -> bool:
    trust = ssl.create_default_context(cafile=on_machine(PKI) / "ca.crt")
    # No proxy of the user's environment: the node is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    try:
        with opener.open(f"{SERVER}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _node_ready() -> bool:
    found = json.loads(kubectl("get", "nodes", NODE, "--ignore-not-found", "--output", "json") or "{}")
    conditions = found.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _dns_ready() -> bool:
    found = json.loads(kubectl("get", "deployment", "coredns", "--namespace", "kube-system", "--output", "json"))
    return bool(found["status"].get("readyReplicas"))
