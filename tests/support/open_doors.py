"""The authority's doors that are open for a whole run of the cluster's tests: who comes to none is not changed."""

from typing import Any, Final

NODES: Final = "proxies-of-nodes"
"""The namespace whose account `ztunnel` is trusted to ask for the pods beside it."""

DOORS: Final[dict[str, Any]] = {
    "istio": {"kind": "grpc", "trustedNodeAccounts": [f"{NODES}/ztunnel"]},
    "secrets": {"kind": "service-accounts"},
    "requests": {"kind": "certificate-signing-requests"},
}

OURS: Final = (
    *("service/proa-ca", "clusterrole/proa-ca-istio", "clusterrolebinding/proa-ca-istio"),
    *("clusterrole/proa-ca-accounts", "clusterrolebinding/proa-ca-accounts", "clusterrole/proa-ca-secrets"),
    *("clusterrole/proa-ca-requests", "clusterrolebinding/proa-ca-requests"),
)
"""What they need beside what an installation without them has; nobody takes it away but who asked for it."""
