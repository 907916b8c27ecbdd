"""What the node's agent has beside the rest where it answers SPIFFE's Workload API. Pure."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from installation.noted import Fields, Noted, Tree
from node.settings import AUTHORITY_DIRECTORY, TOKEN
from proa import names
from proa.doors import IstioGrpc, WorkloadApiOfNodes
from proa.mesh import MeshConfiguration

_TOKEN_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Additions:
    """To its pod, its container's variables, its volumes and mounts (core/v1)."""

    pod: Fields
    environment: tuple[Tree, ...]
    volumes: tuple[Tree, ...]
    mounts: tuple[Tree, ...]


_NOTHING: Final = Additions({}, (), (), ())


def additions(mesh: MeshConfiguration) -> Additions:
    """Nothing where the mesh does not want it."""
    match mesh.authority:
        case object(workload_api=WorkloadApiOfNodes(), istio=IstioGrpc(audiences=(audience, *_))):
            return _additions(mesh.trust_domain, audience)
        case _:
            return _NOTHING


def _additions(trust_domain: str, audience: str) -> Additions:
    directory = str(PurePosixPath(names.WORKLOAD_SOCKET).parent)
    return Additions(
        {"dnsPolicy": Noted("It calls the authority's Service.", "ClusterFirstWithHostNet")},
        (
            {"name": "WORKLOAD_SOCKET", "value": names.WORKLOAD_SOCKET},
            {"name": "TRUST_DOMAIN", "value": trust_domain},
        ),
        (
            {"name": "workload", "hostPath": {"path": directory, "type": "DirectoryOrCreate"}},
            {"name": "authority", "projected": {"sources": [_token(audience), _roots()]}},
        ),
        (
            {"name": "workload", "mountPath": directory},
            {"name": "authority", "mountPath": AUTHORITY_DIRECTORY, "readOnly": True},
        ),
    )


def _token(audience: str) -> Tree:
    return {"serviceAccountToken": {"audience": audience, "expirationSeconds": _TOKEN_SECONDS, "path": TOKEN}}


def _roots() -> Tree:
    bundle: Tree = {
        "signerName": names.SIGNER,
        "labelSelector": {},
        "path": names.TRUST_BUNDLE,
        "optional": Noted("The authority's own pod may need this one to start.", value=True),
    }
    return {"clusterTrustBundle": bundle}
