"""The certificate authority's process: it needs nothing of the webhook's, and all revisions share it. Pure."""

from collections.abc import Iterator
from typing import Final

from ca.accounts.permissions import IN_NAMESPACES
from ca.accounts.permissions import PERMISSIONS as ACCOUNTS_PERMISSIONS
from ca.istio.permissions import PERMISSIONS as ISTIO_PERMISSIONS
from ca.permissions import PERMISSIONS
from installation.access import granted, offered
from installation.configuration import mesh
from installation.metadata import inside, selecting, shared
from installation.noted import Fields, Tree
from installation.options import Options
from installation.pods import Process
from proa import names
from proa.doors import AccountSecrets, IstioGrpc

COMPONENT: Final = "ca"
ISTIO_PORTS: Final = {"istio": names.ISTIO_PORT, "istio-renewal": names.ISTIO_RENEWAL_PORT}
"""By the names that the container and the Service give them."""


def authority(options: Options) -> Process:
    """Any replica may be the leader: the Lease says who signs, and its keys lie in a Secret."""
    ports: list[Tree] = [
        {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in serving(options).items()
    ]
    return Process(metadata=shared(names.AUTHORITY, COMPONENT), command=names.AUTHORITY, ports=ports)


def serving(options: Options) -> dict[str, int]:
    """The ports at which it serves workloads; none where they are served by the API server alone."""
    return ISTIO_PORTS if isinstance(mesh(options).authority.istio, IstioGrpc) else {}


def rights(options: Options) -> Iterator[Fields]:
    """Its own, and those of each door that is wanted, in roles of their own."""
    yield from granted(shared(names.AUTHORITY, COMPONENT), PERMISSIONS)
    if serving(options):
        yield from granted(shared(f"{names.AUTHORITY}-istio", COMPONENT), ISTIO_PERMISSIONS, names.AUTHORITY)
    if isinstance(mesh(options).authority.secrets, AccountSecrets):
        yield from granted(shared(f"{names.AUTHORITY}-accounts", COMPONENT), ACCOUNTS_PERMISSIONS, names.AUTHORITY)
        yield offered(shared(f"{names.AUTHORITY}-secrets", COMPONENT), IN_NAMESPACES)


def services(options: Options) -> Iterator[Fields]:
    """Whom Istio's clients call, where they are served."""
    ports: list[Tree] = [
        {"name": f"grpc-{name}", "port": port, "targetPort": name, "protocol": "TCP"}
        for name, port in serving(options).items()
    ]
    if ports:
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": inside(shared(names.AUTHORITY, COMPONENT)),
            "spec": {"selector": selecting(names.AUTHORITY), "ports": ports},
        }
