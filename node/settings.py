"""What the process is told by its environment. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from node.conflist import Entry
from node.standing import Wish
from proa.dns import LABEL
from proa.environment import port
from proa.errors import Invalid, Problems, shown
from proa.identity import TrustDomain
from proa.mesh import MeshConfiguration
from proa.names import (
    AUTHORITY_HOST,
    ISTIO_PORT,
    NODE_HEALTH_PORT,
    NODE_NAMESPACE,
    SYSTEM_NAMESPACE,
    TRUST_BUNDLE,
    WORKLOAD_SOCKET,
)

AUTHORITY_DIRECTORY: Final = "/var/run/secrets/proa.dev/authority"
"""In the agent's container: what it asks the authority with, and whom it trusts."""
TOKEN: Final = "token"  # noqa: S105 - a file's name
_PLACES: Final = {
    "CNI_CONF_DIR": "/etc/cni/net.d",
    "CNI_BIN_DIR": "/opt/cni/bin",
    "SOCKET": "/run/proa-node/cni.sock",
    "PLUGIN": "/opt/proa/libexec/proa-cni",
}
_WORKLOAD_PLACES: Final = {
    "WORKLOAD_SOCKET": WORKLOAD_SOCKET,
    "TOKEN_FILE": f"{AUTHORITY_DIRECTORY}/{TOKEN}",
    "ROOTS_FILE": f"{AUTHORITY_DIRECTORY}/{TRUST_BUNDLE}",
}
_EXCLUDED: Final = ",".join(("kube-system", SYSTEM_NAMESPACE, NODE_NAMESPACE))
NRI_VARIABLE: Final = "NRI_SOCKET"
"""By which it is told that the runtime tells of sandboxes by itself, and where it listens."""
_WISHES: Final[tuple[Wish, ...]] = ("report", "delete")


@dataclass(frozen=True, slots=True)
class Places:
    """Of the node's, under the names that the node has for them; *plugin* is in our image."""

    configurations: PurePosixPath
    programs: PurePosixPath
    socket: PurePosixPath
    plugin: PurePosixPath


@dataclass(frozen=True, slots=True)
class WorkloadApi:
    """SPIFFE's, at *socket*, which pods dial. *authority* is `host:port`; *token* and *roots* are files."""

    socket: PurePosixPath
    authority: str
    token: PurePosixPath
    roots: PurePosixPath
    trust_domain: TrustDomain


@dataclass(frozen=True, slots=True)
class Settings:
    node: str
    places: Places
    excluded_namespaces: tuple[str, ...]
    """Whose pods are none of ours, and start while there is no agent."""
    unrepairable: Wish
    health_port: int
    workload: WorkloadApi | None
    """None where nobody answers it."""
    nri: PurePosixPath | None
    """Where the runtime listens, if it is to tell of sandboxes by itself; None where a plugin does."""

    @property
    def entry(self) -> Entry:
        return Entry(str(self.places.socket), self.excluded_namespaces)


def settings(environment: Mapping[str, str]) -> Settings:
    """From NODE_NAME, CNI_CONF_DIR, CNI_BIN_DIR, SOCKET, PLUGIN, EXCLUDED_NAMESPACES, UNREPAIRABLE and HEALTH_PORT, all
    but the first with a default; NRI_SOCKET, which has none; and for the Workload API, where WORKLOAD_SOCKET is told,
    from that, AUTHORITY_ADDRESS, TOKEN_FILE, ROOTS_FILE and TRUST_DOMAIN. Raises Refused.
    """
    problems = Problems()
    node, health_port = environment.get("NODE_NAME", ""), NODE_HEALTH_PORT
    wish = environment.get("UNREPAIRABLE", _WISHES[0])
    if not node:
        problems.add([Invalid("NODE_NAME", "nothing", "the name of this node: spec.nodeName by the downward API")])
    with problems.collected():
        health_port = port(environment, "HEALTH_PORT", health_port)
    if wish not in _WISHES:
        problems.add([Invalid("UNREPAIRABLE", shown(wish), " or ".join(_WISHES))])
    places = _places(environment, problems)
    excluded = tuple(each for each in environment.get("EXCLUDED_NAMESPACES", _EXCLUDED).split(",") if each)
    problems.add(
        Invalid("EXCLUDED_NAMESPACES", shown(each), "names of namespaces, separated by commas")
        for each in excluded
        if not re.fullmatch(LABEL, each)
    )
    workload = _workload(environment, problems) if "WORKLOAD_SOCKET" in environment else None
    (nri,) = _paths(environment, {NRI_VARIABLE: ""}, problems) if NRI_VARIABLE in environment else (None,)
    problems.refuse("the environment")
    return Settings(node, places, excluded, "delete" if wish == "delete" else "report", health_port, workload, nri)


def _workload(environment: Mapping[str, str], problems: Problems) -> WorkloadApi:
    socket, token, roots = _paths(environment, _WORKLOAD_PLACES, problems)
    domain = TrustDomain(MeshConfiguration().trust_domain)
    with problems.collected("TRUST_DOMAIN"):
        domain = TrustDomain(environment.get("TRUST_DOMAIN", domain.name))
    address = environment.get("AUTHORITY_ADDRESS", f"{AUTHORITY_HOST}:{ISTIO_PORT}")
    return WorkloadApi(socket, address, token, roots, domain)


def _places(environment: Mapping[str, str], problems: Problems) -> Places:
    return Places(*_paths(environment, _PLACES, problems))


def _paths(environment: Mapping[str, str], places: Mapping[str, str], problems: Problems) -> tuple[PurePosixPath, ...]:
    found = {name: environment.get(name, default) for name, default in places.items()}
    problems.add(
        Invalid(name, shown(path), "an absolute path of at most 100 characters")
        for name, path in found.items()
        if not path.startswith("/") or len(path.encode()) > 100
    )
    return tuple(map(PurePosixPath, found.values()))
