"""Command lines: of the node's namespaces, its link to the machine, and the parts that run on it. Pure."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher.addresses import link_address
from launcher.layout import (
    KUBERNETES,
    MACHINE_ADDRESSES,
    NAME,
    NODE,
    NODE_ADDRESSES,
    NODE_TMP,
    NODE_VAR,
    PKI,
    POD_RANGES,
    PROCESS,
    PROGRAMS,
    RUN,
    SERVICE_RANGES,
    TUNABLES,
    on_machine,
)

Command = tuple[str, ...]

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The whole environment of a part, so that no proxy setting or credential of the user's reaches it."""

_TUNABLES: Final = {
    "kernel/keys/root_maxbytes": 25_000_000,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the node."""

    name: str
    command: Command


def node(programs: Path) -> Command:
    """Make the node's namespaces and stay as their first process; whatever runs in them ends with it.

    *programs* is where the machine keeps what was built: it may lie below a directory that the node sees otherwise.
    """
    namespaces = ("--mount", "--pid", "--net", "--uts", "--ipc")
    # "slave": the machine's mounts are seen, the node's own are not given back.
    options = ("--propagation", "slave", "--fork", "--kill-child")
    return ("unshare", *namespaces, *options, "sh", "-c", _node_script(programs))


def _node_script(programs: Path) -> str:
    steps = (
        "set -eu",
        # Still the machine's /proc: it tells the machine's number of this process.
        "read -r process rest < /proc/self/stat",
        "mount -t proc proc /proc",
        # Volumes that a pod mounts are passed on to its other containers (mountPropagation).
        "mount --make-rshared /",
        *_tunables(),
        f"mount --bind {shlex.quote(str(programs))} {on_machine(PROGRAMS)}",
        f"mount --bind {RUN} /run",
        f"mount --bind {NODE_TMP} /tmp",
        f"mount --rbind {NODE_VAR} /var",
        "mount --make-rshared /var",
        f"hostname {NODE}",
        "ip link set lo up",
        # Ignored, the signal makes the kernel reap orphans, and exec keeps it ignored (wait(2), execve(2)).
        "trap '' CHLD",
        f"echo $process > /run/{PROCESS.name}",
        "exec sleep infinity",
    )
    return "\n".join(steps)


def _tunables() -> Iterator[str]:
    """The kernel's settings that the kubelet insists on: files in place of the machine's own, which no namespace has.

    They are the kubelet's of 1.37 (setupKernelTunables); a machine must not panic because tests ran on it.
    """
    for setting, value in _TUNABLES.items():
        file = TUNABLES / setting.replace("/", ".")
        yield f"echo {value} > {file}"
        yield f"mount --bind {file} /proc/sys/{setting}"


def inside(process: int, command: Sequence[str]) -> Command:
    """*command* in the namespaces of *process*."""
    return (
        *("nsenter", "--target", str(process), "--mount", "--pid", "--net", "--uts", "--ipc"),
        *("env", "--ignore-environment", f"PATH={PATH}"),
        *command,
    )


def link(process: int) -> Iterator[Command]:
    """On the machine: the device that joins it with the node of first *process*, this end up."""
    yield ("ip", "link", "add", NAME, "type", "veth", "peer", "name", NODE, "netns", str(process))
    yield from _addressed(NAME, MACHINE_ADDRESSES)


def machine_routes() -> Iterator[Command]:
    """On the machine, with both ends up: pods and Services are reached through the node."""
    for ranges in (POD_RANGES, SERVICE_RANGES):
        for destination, gateway in zip(ranges, NODE_ADDRESSES, strict=True):
            yield ("ip", "route", "add", destination, "via", gateway, "dev", NAME)


def node_network() -> Iterator[Command]:
    """On the node: its end of the link, and forwarding between pods."""
    yield from _addressed(NODE, NODE_ADDRESSES)
    for gateway in MACHINE_ADDRESSES:
        yield ("ip", "route", "add", "default", "via", gateway, "dev", NODE)
    settings = (
        "net.ipv4.ip_forward=1",
        "net.ipv6.conf.all.forwarding=1",
        # kube-proxy's rules must see what goes from pod to pod over the bridge.
        "net.bridge.bridge-nf-call-iptables=1",
        "net.bridge.bridge-nf-call-ip6tables=1",
    )
    yield ("sysctl", "--quiet", "--write", *settings)


def _addressed(device: str, addresses: Iterable[str]) -> Iterator[Command]:
    for address in addresses:
        # A second owner is not possible: no wait for the detection of duplicates.
        yield ("ip", "address", "add", link_address(address), "dev", device, *(("nodad",) if ":" in address else ()))
    yield ("ip", "link", "set", device, "up")


def first_parts() -> tuple[Part, ...]:
    """What the others need, startable in any order."""
    containerd = ("containerd", "--config", f"{KUBERNETES}/containerd.toml")
    return (_etcd(), _api_server(), Part("containerd", containerd))


def other_parts() -> tuple[Part, ...]:
    """What needs the API server and the container runtime."""
    kubelet = {
        "config": f"{KUBERNETES}/kubelet.json",
        "kubeconfig": f"{KUBERNETES}/kubelet.kubeconfig",
        "hostname-override": NODE,
        "node-ip": ",".join(NODE_ADDRESSES),
    }
    scheduler = {"kubeconfig": f"{KUBERNETES}/scheduler.kubeconfig", "leader-elect": "false"}
    return (
        _part("kubelet", kubelet),
        _controllers(),
        _part("kube-scheduler", scheduler),
        _part("kube-proxy", {"config": f"{KUBERNETES}/kube-proxy.json"}),
    )


def _etcd() -> Part:
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    options = {
        "data-dir": "/var/lib/etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "log-level": "warn",
        # The data is worth nothing after the tests.
        "unsafe-no-fsync": "true",
    }
    return _part("etcd", options)


def _api_server() -> Part:
    options = {
        "etcd-servers": "http://127.0.0.1:2379",
        "advertise-address": NODE_ADDRESSES[0],
        "service-cluster-ip-range": ",".join(SERVICE_RANGES),
        "tls-cert-file": f"{PKI}/apiserver.crt",
        "tls-private-key-file": f"{PKI}/apiserver.key",
        "client-ca-file": f"{PKI}/ca.crt",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": f"{PKI}/tokens.pub",
        "service-account-signing-key-file": f"{PKI}/tokens.key",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        # By which kubelets older than 1.37 ask.
        "runtime-config": "certificates.k8s.io/v1beta1=true",
        "kubelet-client-certificate": f"{PKI}/admin.crt",
        "kubelet-client-key": f"{PKI}/admin.key",
        "kubelet-certificate-authority": f"{PKI}/ca.crt",
        # No name of the node's resolves: exec and logs go to its address.
        "kubelet-preferred-address-types": "InternalIP",
        "allow-privileged": "true",
    }
    return _part("kube-apiserver", options)


def _controllers() -> Part:
    options = {
        "kubeconfig": f"{KUBERNETES}/controllers.kubeconfig",
        "root-ca-file": f"{PKI}/ca.crt",
        "service-account-private-key-file": f"{PKI}/tokens.key",
        "cluster-signing-cert-file": f"{PKI}/ca.crt",
        "cluster-signing-key-file": f"{PKI}/ca.key",
        "use-service-account-credentials": "true",
        "leader-elect": "false",
        # Twenty a second by default: the controllers' start and a test's hundreds of pods would wait for it.
        "kube-api-qps": "300",
        "kube-api-burst": "600",
        # Its default lies in /usr, which is the machine's.
        "flex-volume-plugin-dir": "/var/lib/kubelet/volumeplugins",
    }
    return _part("kube-controller-manager", options)


def _part(name: str, options: dict[str, str]) -> Part:
    program = f"{PROGRAMS}/kubernetes"
    return Part(name, (program, name, *(f"--{option}={value}" for option, value in options.items())))
