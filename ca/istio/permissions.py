"""What `proa-ca` may do beside the rest while the door of Istio's protocol is open. Pure."""

from typing import Final

from proa.permissions import Permission

PERMISSIONS: Final = (
    Permission(
        groups=("authentication.k8s.io",),
        resources=("tokenreviews",),
        verbs=("create",),
        namespaced=False,
        why="ca/istio/reviews.py asks the API server whose a token is",
    ),
    Permission(
        groups=("",),
        resources=("pods", "serviceaccounts"),
        verbs=("list", "watch"),
        namespaced=False,
        why="ca/istio/opening.py knows at every request whether the caller's pod and service account still live",
    ),
)
