"""The baseline Pod Security Standard for namespaces that `proa-init` runs in, as an admission policy. Pure.

Pod Security forbids every container NET_ADMIN at `baseline` and knows no exception by container, so a namespace whose
pods intercept their own traffic must be `privileged` to it. This policy holds such a namespace to everything else that
`baseline` asks, and lets that one capability through to one container alone: ours, running our program and nothing of
the user's. Controls: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline, of Kubernetes 1.37,
whose API server itself lets /proc be unmasked only in a user namespace, as the standard does.
"""

import re
from collections.abc import Iterator
from typing import Final

from installation.configuration import init_image
from installation.metadata import shared
from installation.noted import Fields, Noted, Tree
from installation.options import Options
from proa import names

NAME: Final = "proa-baseline"
_COMPONENT: Final = "pod-security"
_API: Final = "admissionregistration.k8s.io/v1"
_TOKEN: Final = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a directory
_CAPABILITIES: Final = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
_SYSCTLS: Final = (
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
_SELINUX: Final = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_PROFILES: Final = ("RuntimeDefault", "Localhost")
_UNSET: Final = "orValue(false) == false"
_VERSION: Final = "(:[A-Za-z0-9_.-]+)?(@[A-Za-z0-9_.:+-]+)?"
"""What follows the name in an image reference: a tag has no slash, so that no other host is taken for this name."""
_APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"


def policies(options: Options) -> Iterator[Fields]:
    """The policy and what binds it to the namespaces labelled for it."""
    metadata = shared(NAME, _COMPONENT)
    yield {"apiVersion": _API, "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": _policy(options)}
    selector: Tree = {"matchLabels": {names.POD_SECURITY: "baseline"}}
    binding: Tree = {
        "policyName": NAME,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": Noted("And pod-security.kubernetes.io/enforce=privileged.", selector)},
    }
    yield {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": binding,
    }


def _policy(options: Options) -> Tree:
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": ["pods", "pods/ephemeralcontainers"],
                }
            ]
        },
        "matchConditions": [
            Noted(
                "A pod that stands may lose its finalizers and be labelled, whatever it is.",
                {"name": "new-or-changed", "expression": "oldObject == null || object.spec != oldObject.spec"},
            )
        ],
        "variables": [{"name": name, "expression": expression} for name, expression in _variables(options)],
        "validations": [
            {"expression": expression, "message": f"{control} (the baseline Pod Security Standard, kept by {NAME})"}
            for control, expression in _controls()
        ],
    }


def _variables(options: Options) -> Iterator[tuple[str, str]]:
    # dyn(): ephemeral containers are a type of their own, and CEL adds lists of one type only.
    lists = (f"dyn(object.spec.?{kind}.orValue([]))" for kind in ("initContainers", "ephemeralContainers"))
    yield "containers", " + ".join(("dyn(object.spec.containers)", *lists))
    yield "contexts", "[dyn(object.spec)] + variables.containers"
    yield "installers", f"dyn(object.spec.?initContainers.orValue([])).filter(c, {_ours(init_image(options))})"


def _ours(image: str) -> str:
    """Whether container c can run nothing but `proa-init` as it is in a version of *image*, with its one capability.

    In any version: while one takes the place of another, and where two stand side by side, pods are given either.
    """
    return " && ".join(
        (
            f"c.name == '{names.INIT_CONTAINER}'",
            f"c.image.matches('^{any_dot(repository(image))}{_VERSION}$')",
            # Its arguments stand behind it, too, in a pod with probes: they are all that `proa-init` is told.
            f"c.?command[?0].orValue('') == '{names.INIT_CONTAINER}'",
            "c.?env.orValue([]).size() == 0",
            "c.?envFrom.orValue([]).size() == 0",
            "!has(c.lifecycle)",
            "c.?volumeDevices.orValue([]).size() == 0",
            f"c.?volumeMounts.orValue([]).all(m, m.mountPath == '{_TOKEN}')",
            "c.?securityContext.?capabilities.?add.orValue([]) == ['NET_ADMIN']",
        )
    )


def repository(image: str) -> str:
    """*image* without its tag and digest."""
    return re.sub(r":[^:/]*$", "", image.partition("@")[0])


def any_dot(name: str) -> str:
    """*name* as a regular expression: of what an image's name is made of, only the dot means more than itself."""
    return name.replace(".", "[.]")


def _controls() -> Iterator[tuple[str, str]]:
    """Each control in words, and the CEL expression that holds where it is kept."""
    yield "host process containers are forbidden", _every_context(f"?windowsOptions.?hostProcess.{_UNSET}")
    host_namespaces = (f"object.spec.?{field}.{_UNSET}" for field in ("hostNetwork", "hostPID", "hostIPC"))
    yield "host namespaces are forbidden", " && ".join(host_namespaces)
    yield "privileged containers are forbidden", _every_container(f"c.?securityContext.?privileged.{_UNSET}")
    added = "c.?securityContext.?capabilities.?add.orValue([])"
    installer = "variables.installers.exists(i, i.name == c.name)"
    allowed = _every_container(f"{added}.all(a, a in {_among(_CAPABILITIES)}) || {installer}")
    yield f"capabilities may only be added from {', '.join(_CAPABILITIES)}; NET_ADMIN only to proa-init", allowed
    yield "hostPath volumes are forbidden", "object.spec.?volumes.orValue([]).all(v, !has(v.hostPath))"
    yield "host ports are forbidden", _every_container("c.?ports.orValue([]).all(p, p.?hostPort.orValue(0) == 0)")
    yield "probes and hooks may not name a host", _every_container(" && ".join(_hostless()))
    annotations = "object.metadata.?annotations.orValue({})"
    profile = f"{annotations}[k] in ['', 'runtime/default'] || {annotations}[k].startsWith('localhost/')"
    annotated = f"{annotations}.all(k, !k.startsWith('{_APP_ARMOR}') || {profile})"
    yield "AppArmor may not be unconfined", f"{annotated} && {_every_profile('appArmorProfile')}"
    yield "SELinux users and roles are forbidden, and types but the container ones", _every_context(*_SELINUX_RULES)
    yield "seccomp may not be unconfined", _every_profile("seccompProfile")
    safe = f"object.spec.?securityContext.?sysctls.orValue([]).all(s, s.name in {_among(_SYSCTLS)})"
    yield f"sysctls may only be {', '.join(_SYSCTLS)}", safe


def _every_container(condition: str) -> str:
    return f"variables.containers.all(c, {condition})"


def _every_context(*conditions: str) -> str:
    """Of the pod's security context and each container's."""
    return f"variables.contexts.all(c, {' && '.join(f'c.?securityContext.{each}' for each in conditions)})"


def _every_profile(field: str) -> str:
    return _every_context(f"?{field}.?type.orValue('RuntimeDefault') in {_among(_PROFILES)}")


def _hostless() -> Iterator[str]:
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        yield from (f"c.?{probe}.?{kind}.?host.orValue('') == ''" for kind in ("httpGet", "tcpSocket"))
    for hook in ("postStart", "preStop"):
        yield from (f"c.?lifecycle.?{hook}.?{kind}.?host.orValue('') == ''" for kind in ("httpGet", "tcpSocket"))


def _among(values: tuple[str, ...]) -> str:
    return f"[{', '.join(map(repr, values))}]"


_SELINUX_RULES: Final = (
    f"?seLinuxOptions.?type.orValue('') in {_among(_SELINUX)}",
    "?seLinuxOptions.?user.orValue('') == ''",
    "?seLinuxOptions.?role.orValue('') == ''",
)
