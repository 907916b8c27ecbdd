"""The baseline policy beside Pod Security itself: they agree on every pod but those that proa-init is in."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from installation.objects import objects
from installation.options import Options, PodSecurity
from installation.podsecurity import NAME
from proa import names
from proa.mesh import MeshConfiguration
from support.injecting import in_list, injected
from support.kubectl import Failed, Kubectl, eventually, pod, pod_spec, serving
from webhook.sidecar import sidecar

pytestmark = pytest.mark.beside_others

SECURITY = "pod-security.kubernetes.io"
INIT = msgspec.json.decode(sidecar(MeshConfiguration()).init)
KEPT = f"kept by {NAME}"


@pytest.fixture(scope="module")
def standard(kubectl: Kubectl) -> Iterator[Kubectl]:
    """Where Pod Security itself enforces the standard."""
    with kubectl.new_namespace("manifests-standard", {f"{SECURITY}/enforce": "baseline"}) as inside:
        yield inside


@pytest.fixture(scope="module")
def kept(kubectl: Kubectl) -> Iterator[Kubectl]:
    """Where Proa's policy does. Under a name and for a label of its own: the cluster may have the real one."""
    name, label = "manifests-kept", f"{names.PREFIX}/test-kept"
    made = [each for each in objects(Options(pod_security=PodSecurity.BASELINE)) if named(each) == NAME]
    text = json.dumps(made).replace(names.POD_SECURITY, label).replace(f'"{NAME}"', f'"{name}"')
    kubectl.apply(*json.loads(text))
    try:
        with kubectl.new_namespace(name, {label: "baseline"}) as inside:
            forbidden = changed(hostPID=True)
            eventually(lambda: not admitted(inside, forbidden), "the policy's effect")
            yield inside
    finally:
        kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name)


def named(each: Any) -> str:
    return str(each["metadata"]["name"])


def admitted(inside: Kubectl, given: dict[str, Any]) -> bool:
    """Whether *given* may be created. Raises Failed where something else than a standard is against it."""
    try:
        inside("create", "--dry-run=server", "--filename=-", given=given)
    except Failed as failed:
        if KEPT in failed.output or "violates PodSecurity" in failed.output:
            return False
        raise
    return True


def changed(container: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    spec = pod_spec("sleep", "1", **more)
    spec["containers"][0] |= container or {}
    return pod("p", spec)


def secured(**context: Any) -> dict[str, Any]:
    return {"securityContext": context}


def initial(container: dict[str, Any]) -> dict[str, Any]:
    image = {"name": "first", "image": "busybox"}
    return changed(initContainers=[{**image, **container}])


PROBE = {"httpGet": {"host": "example.com", "port": 80}}
PODS = {
    "ordinary": changed(),
    "host-process": changed(secured(windowsOptions={"hostProcess": True}), os={"name": "windows"}, hostNetwork=True),
    "host-network": changed(hostNetwork=True),
    "host-pid": changed(hostPID=True),
    "host-ipc": changed(hostIPC=True),
    "privileged": changed(secured(privileged=True)),
    "privileged-first": initial(secured(privileged=True)),
    "unprivileged": changed(secured(privileged=False)),
    "allowed-capability": changed(secured(capabilities={"add": ["CHOWN", "NET_BIND_SERVICE"]})),
    "net-admin": changed(secured(capabilities={"add": ["NET_ADMIN"]})),
    "net-admin-first": initial(secured(capabilities={"add": ["NET_ADMIN"]})),
    "net-raw": changed(secured(capabilities={"add": ["NET_RAW"]})),
    "all-capabilities": changed(secured(capabilities={"add": ["ALL"]})),
    "prefixed-capability": changed(secured(capabilities={"add": ["CAP_CHOWN"]})),
    "host-path": changed(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
    "empty-directory": changed(volumes=[{"name": "v", "emptyDir": {}}]),
    "host-port": changed({"ports": [{"containerPort": 80, "hostPort": 80}]}),
    "port": changed({"ports": [{"containerPort": 80}]}),
    "probe-of-a-host": changed({"livenessProbe": PROBE}),
    "probe": changed({"livenessProbe": {"httpGet": {"port": 80}}}),
    "tcp-probe-of-a-host": changed({"readinessProbe": {"tcpSocket": {"host": "127.0.0.1", "port": 80}}}),
    "hook-of-a-host": changed({"lifecycle": {"preStop": PROBE}}),
    "hook": changed({"lifecycle": {"postStart": {"httpGet": {"port": 80}}}}),
    "app-armor-unconfined": changed(secured(appArmorProfile={"type": "Unconfined"})),
    "app-armor-of-the-pod": changed(**secured(appArmorProfile={"type": "Unconfined"})),
    "app-armor-default": changed(secured(appArmorProfile={"type": "RuntimeDefault"})),
    "selinux-type": changed(secured(seLinuxOptions={"type": "spc_t"})),
    "selinux-container": changed(secured(seLinuxOptions={"type": "container_t", "level": "s0:c1"})),
    "selinux-engine": changed(secured(seLinuxOptions={"type": "container_engine_t"})),
    "selinux-user": changed(**secured(seLinuxOptions={"user": "system_u"})),
    "selinux-role": changed(secured(seLinuxOptions={"role": "r"})),
    "proc-unmasked": changed(secured(procMount="Unmasked"), hostUsers=False),
    "proc-default": changed(secured(procMount="Default")),
    "seccomp-unconfined": changed(secured(seccompProfile={"type": "Unconfined"})),
    "seccomp-of-the-pod": changed(**secured(seccompProfile={"type": "Unconfined"})),
    "seccomp-file": changed(secured(seccompProfile={"type": "Localhost", "localhostProfile": "a"})),
    "sysctl": changed(**secured(sysctls=[{"name": "kernel.msgmax", "value": "1"}])),
    **{
        f"sysctl-{name.rpartition('.')[2]}": changed(**secured(sysctls=[{"name": name, "value": "1"}]))
        for name in (
            "kernel.shm_rmid_forced",
            "net.ipv4.ip_local_port_range",
            "net.ipv4.ip_local_reserved_ports",
            "net.ipv4.ip_unprivileged_port_start",
            "net.ipv4.ping_group_range",
            "net.ipv4.tcp_fin_timeout",
            "net.ipv4.tcp_keepalive_intvl",
            "net.ipv4.tcp_keepalive_probes",
            "net.ipv4.tcp_keepalive_time",
            "net.ipv4.tcp_rmem",
            "net.ipv4.tcp_syncookies",
            "net.ipv4.tcp_wmem",
        )
    },
    "app-armor-annotation": {
        **changed(),
        "metadata": {"name": "p", "annotations": {"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}},
    },
}
PODS |= {
    # Where Pod Security is laxer to a pod in a user namespace of its own.
    f"{name}-in-a-user-namespace": {**PODS[name], "spec": {**PODS[name]["spec"], "hostUsers": False}}
    for name in ("net-admin", "host-port", "seccomp-unconfined", "app-armor-unconfined", "selinux-type", "sysctl")
}


@pytest.mark.parametrize("which", PODS)
def test_the_policy_says_what_pod_security_says(standard: Kubectl, kept: Kubectl, which: str) -> None:
    assert admitted(kept, PODS[which]) == admitted(standard, PODS[which])


def intercepted(**changes: Any) -> dict[str, Any]:
    return changed(initContainers=[{**INIT, **changes}])


def test_the_one_exception_is_our_init_container(standard: Kubectl, kept: Kubectl) -> None:
    assert not admitted(standard, intercepted())
    assert admitted(kept, intercepted())


def test_an_injected_pod_with_probes_and_settings_has_it_too(kept: Kubectl) -> None:
    settings = {"proa.dev/udp": "drop", "proa.dev/include-inbound-ports": "8080-8090"}
    for annotations in ({}, settings):
        made = injected(pod("p", serving(), annotations=annotations))
        init = in_list(made, "initContainers", names.INIT_CONTAINER)
        assert any("--exclude-inbound-ports" in each for each in (*init["command"], *init.get("args", ())))
        assert admitted(kept, changed(initContainers=[init]))


@pytest.mark.parametrize("image", ["proa:0.0.9", "proa:99.0.0", "proa@sha256:" + "0" * 64])
def test_another_version_of_our_init_container_has_the_exception_too(kept: Kubectl, image: str) -> None:
    """While one takes the place of another, pods are given either."""
    assert admitted(kept, intercepted(image=image))


SECURED = INIT["securityContext"]
TAMPERED = {
    "image": {"image": "busybox"},
    "image-of-a-host-of-our-images-name": {"image": f"{INIT['image']}/busybox"},
    "name": {"name": "mine"},
    "command": {"command": ["sh", "-c", "true"]},
    "no-command": {"command": None},
    "environment": {"env": [{"name": "PYTHONPATH", "value": "/mine"}]},
    "environment-of-a-map": {"envFrom": [{"configMapRef": {"name": "c"}}]},
    "more-capabilities": {"securityContext": {**SECURED, "capabilities": {"add": ["NET_ADMIN", "SYS_ADMIN"]}}},
    "privileged": {"securityContext": {"privileged": True, "capabilities": {"add": ["NET_ADMIN"]}}},
    "hook": {"restartPolicy": "Always", "lifecycle": {"preStop": {"exec": {"command": ["sh"]}}}},
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_is_not_our_init_container_has_no_exception(kept: Kubectl, how: str) -> None:
    assert not admitted(kept, intercepted(**TAMPERED[how]))


def test_nothing_of_the_users_may_lie_over_the_program_of_our_init_container(kept: Kubectl) -> None:
    over = intercepted(volumeMounts=[{"name": "v", "mountPath": "/opt/proa/bin"}])
    over["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    assert not admitted(kept, over)


def test_another_container_does_not_share_the_exception(kept: Kubectl) -> None:
    both = intercepted()
    both["spec"]["containers"][0]["securityContext"] = {"capabilities": {"add": ["NET_ADMIN"]}}
    assert not admitted(kept, both)


def test_a_pod_that_runs_cannot_be_given_another_image_or_a_debugger_with_powers(kept: Kubectl) -> None:
    standing = intercepted()
    standing["metadata"]["name"] = "standing"
    kept.create(standing)
    with pytest.raises(Failed, match=KEPT):
        kept("set", "image", "pod/standing", f"{names.INIT_CONTAINER}=busybox")
    with pytest.raises(Failed, match=KEPT):
        kept("debug", "pod/standing", "--image=busybox", "--profile=netadmin")
    # Not what the pod is, but what is said of it.
    kept("label", "pod", "standing", "still=possible")
