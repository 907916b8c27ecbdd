"""A pod's containers as processes: what each runs as, sees and may do, decided before anything starts. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from demo.pod import Container, EnvVar, Pod, Probe, SecurityContext, field_value
from proa.errors import Invalid, shown

_RUNTIME_CAPABILITIES: Final = frozenset(
    {
        "chown", "dac_override", "fowner", "fsetid", "kill", "mknod", "net_bind_service",
        "net_raw", "setfcap", "setgid", "setpcap", "setuid", "sys_chroot", "audit_write",
    }
)  # fmt: skip
"""What containerd leaves a container that asks for nothing (containerd 1.6, oci.WithDefaultUnixCaps)."""
_REFERENCE: Final = re.compile(r"\$(\$|\(([A-Za-z_][A-Za-z0-9_.-]*)\))")
_PATH: Final = "/opt/proa/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or directory of the machine as a container sees it."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Process:
    """One container, ready to start: everything here comes from its spec."""

    name: str
    hostname: str
    argv: tuple[str, ...]
    env: dict[str, str]
    uid: int
    gid: int
    capabilities: tuple[str, ...]
    no_new_privileges: bool
    read_only_root: bool
    binds: tuple[Bind, ...]


@dataclass(frozen=True, slots=True)
class ToCompletion:
    """An init container: the next step waits for its success."""

    container: Container


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A native sidecar: it goes on, and the next step waits for its startup probe."""

    container: Container
    started: Probe


@dataclass(frozen=True, slots=True)
class App:
    """An app container: all of them run together; the pod is ready when their readiness probes answer."""

    container: Container


Step: TypeAlias = ToCompletion | Sidecar | App


def steps(pod: Pod) -> tuple[Step, ...]:
    """The order in which the kubelet starts a pod's containers (KEP-753)."""
    return (*(_init_step(one) for one in pod.spec.init_containers), *(App(one) for one in pod.spec.containers))


def _init_step(container: Container) -> Step:
    if not container.is_sidecar:
        return ToCompletion(container)
    if container.startup_probe is None:
        raise Invalid(f"{container.name}.startupProbe", "nothing", "an httpGet probe: the demo waits for it")
    return Sidecar(container, container.startup_probe)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a pod's containers share: its addresses, where its volumes are, what each sees whatever its spec says."""

    pod: Pod
    addresses: tuple[str, ...]
    volumes: Mapping[str, Path]
    everywhere: tuple[Bind, ...]


def process(container: Container, sandbox: Sandbox) -> Process:
    """The process of *container*. Raises Invalid for a field or volume that its pod does not have."""
    pod = sandbox.pod
    env = _environment(container.env, pod, sandbox.addresses)
    context = container.security_context
    return Process(
        name=container.name,
        hostname=pod.metadata.name,
        argv=tuple(_expanded(word, env) for word in container.command + container.args),
        env={"PATH": _PATH, "HOSTNAME": pod.metadata.name, "HOME": "/", **env},
        uid=context.run_as_user,
        gid=context.run_as_group,
        capabilities=capabilities(context),
        no_new_privileges=not context.allow_privilege_escalation,
        read_only_root=context.read_only_root_filesystem,
        binds=sandbox.everywhere + _mounts(container, sandbox.volumes),
    )


def capabilities(context: SecurityContext) -> tuple[str, ...]:
    """The bounding set in the words of capabilities(7), lower case and without `CAP_`, sorted."""
    dropped = {name.lower() for name in context.capabilities.drop}
    kept = frozenset[str]() if "all" in dropped else _RUNTIME_CAPABILITIES - dropped
    return tuple(sorted(kept | {name.lower() for name in context.capabilities.add}))


def _environment(variables: tuple[EnvVar, ...], pod: Pod, addresses: tuple[str, ...]) -> dict[str, str]:
    env: dict[str, str] = {}
    for variable in variables:
        if variable.value_from is None:
            env[variable.name] = _expanded(variable.value, env)
        else:
            env[variable.name] = field_value(pod, variable.value_from.field_ref.field_path, addresses)
    return env


def _expanded(word: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` by its value, `$$` by `$`; an unknown name stays as it is (Kubernetes API, Container.args)."""
    return _REFERENCE.sub(lambda found: "$" if found[1] == "$" else env.get(found[2], found[0]), word)


def _mounts(container: Container, volumes: Mapping[str, Path]) -> tuple[Bind, ...]:
    for mount in container.volume_mounts:
        if mount.name not in volumes:
            raise Invalid(f"{container.name}.volumeMounts", shown(mount.name), ", ".join(volumes) or "no volume")
    return tuple(Bind(volumes[mount.name], mount.mount_path, mount.read_only) for mount in container.volume_mounts)
