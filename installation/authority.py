"""The certificate authority's process: it needs nothing of the webhook's, and all revisions share it. Pure."""

from collections.abc import Iterator
from typing import Final

from ca.accounts.permissions import IN_NAMESPACES
from ca.accounts.permissions import PERMISSIONS as ACCOUNTS_PERMISSIONS
from ca.certmanager.permissions import PERMISSIONS as CERT_MANAGER_PERMISSIONS
from ca.csrs.permissions import PERMISSIONS as CSR_PERMISSIONS
from ca.istio.permissions import PERMISSIONS as ISTIO_PERMISSIONS
from ca.jwt.permissions import PERMISSIONS as JWT_PERMISSIONS
from ca.maps.permissions import PERMISSIONS as MAPS_PERMISSIONS
from ca.permissions import PERMISSIONS
from ca.vault.permissions import PERMISSIONS as VAULT_PERMISSIONS
from installation.access import granted, offered
from installation.configuration import mesh
from installation.metadata import inside, selecting, shared
from installation.noted import Fields, Noted, Tree
from installation.options import Options
from installation.pods import Process
from installation.upstream import additions
from proa import names
from proa.doors import AccountSecrets, IstioGrpc, SigningRequests, issuer
from proa.rootsmap import map_name
from proa.upstreams import NoUpstream, VaultPki

COMPONENT: Final = "ca"
ISTIO_PORTS: Final = {"istio": names.ISTIO_PORT, "istio-renewal": names.ISTIO_RENEWAL_PORT}
"""By the names that the container and the Service give them."""


DISCOVERY: Final = {"discovery": names.DISCOVERY_PORT}
"""The same, of who verifies JWT-SVIDs."""


def authority(options: Options) -> Process:
    """Any replica may be the leader: the Lease says who signs, and its keys lie in a Secret."""
    ports: list[Tree] = [
        {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in serving(options).items()
    ]
    added = additions(mesh(options).authority.upstream)
    return Process(
        metadata=shared(names.AUTHORITY, COMPONENT),
        command=names.AUTHORITY,
        memory=Noted("As its doors are bounded it may have 180, and 76 a process that reads the root's key.", "384Mi"),
        ports=ports,
        volumes=added.volumes,
        mounts=added.mounts,
    )


def serving(options: Options) -> dict[str, int]:
    """The ports at which it serves workloads; none where they are served by the API server alone."""
    doors = mesh(options).authority
    if not isinstance(doors.istio, IstioGrpc):
        return {}
    return {**ISTIO_PORTS, **DISCOVERY} if issuer(doors) else ISTIO_PORTS


def rights(options: Options) -> Iterator[Fields]:
    """Its own, and those of each door that is wanted, in roles of their own."""
    yield from granted(shared(names.AUTHORITY, COMPONENT), PERMISSIONS)
    if serving(options):
        yield from granted(shared(f"{names.AUTHORITY}-istio", COMPONENT), ISTIO_PERMISSIONS, names.AUTHORITY)
    if issuer(mesh(options).authority):
        yield from granted(shared(f"{names.AUTHORITY}-jwt", COMPONENT), JWT_PERMISSIONS, names.AUTHORITY)
    if isinstance(mesh(options).authority.secrets, AccountSecrets):
        yield from granted(shared(f"{names.AUTHORITY}-accounts", COMPONENT), ACCOUNTS_PERMISSIONS, names.AUTHORITY)
        yield offered(shared(f"{names.AUTHORITY}-secrets", COMPONENT), IN_NAMESPACES)
    if isinstance(mesh(options).authority.requests, SigningRequests):
        yield from granted(shared(f"{names.AUTHORITY}-requests", COMPONENT), CSR_PERMISSIONS, names.AUTHORITY)
    upstream = mesh(options).authority.upstream
    if not isinstance(upstream, NoUpstream):
        permissions = VAULT_PERMISSIONS if isinstance(upstream, VaultPki) else CERT_MANAGER_PERMISSIONS
        yield from granted(shared(f"{names.AUTHORITY}-upstream", COMPONENT), permissions, names.AUTHORITY)
    if map_name(mesh(options)):
        yield from granted(shared(f"{names.AUTHORITY}-roots", COMPONENT), MAPS_PERMISSIONS, names.AUTHORITY)


def services(options: Options) -> Iterator[Fields]:
    """Whom Istio's clients call, and who verifies JWT-SVIDs, where they are served."""
    ports: list[Tree] = [
        {"name": _port_name(name), "port": port, "targetPort": name, "protocol": "TCP"}
        for name, port in serving(options).items()
    ]
    if ports:
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": inside(shared(names.AUTHORITY, COMPONENT)),
            "spec": {"selector": selecting(names.AUTHORITY), "ports": ports},
        }


def _port_name(name: str) -> str:
    """Meshes go by what stands before the first hyphen."""
    return f"{'https' if name in DISCOVERY else 'grpc'}-{name}"
