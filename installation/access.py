"""Who may do what: RBAC (rbac.authorization.k8s.io/v1) from the tables beside the code that needs it. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from installation.metadata import inside, shared
from installation.noted import Fields, Noted, Tree
from proa import names
from proa.permissions import Permission

_API: Final = "rbac.authorization.k8s.io"


def service_account(metadata: Fields, namespace: str = names.SYSTEM_NAMESPACE) -> Fields:
    """Pods that need its token ask for it themselves."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": inside(metadata, namespace),
        "automountServiceAccountToken": False,
    }


def granted(
    metadata: Fields,
    permissions: Iterable[Permission],
    account: str = "",
    namespace: str = names.SYSTEM_NAMESPACE,
) -> Iterator[Fields]:
    """What gives the ServiceAccount *account*, or that of *metadata*'s name, in *namespace* its *permissions*."""
    account = account or str(metadata["name"])
    asked = tuple(permissions)
    own = tuple(permission for permission in asked if permission.namespaced)
    wide = tuple(permission for permission in asked if not permission.namespaced)
    if own:
        yield _role("Role", inside(metadata, namespace), own)
        yield _binding("Role", inside(metadata, namespace), account, namespace)
    if wide:
        yield _role("ClusterRole", metadata, wide)
        yield _binding("ClusterRole", metadata, account, namespace)


def offered(metadata: Fields, permissions: Iterable[Permission]) -> Fields:
    """A role that an installation binds to nobody: whoever may, binds it in a namespace."""
    return _role("ClusterRole", metadata, tuple(permissions))


def viewing() -> Fields:
    """What `proa status`, `explain` and `check` read, for whoever has the cluster role `view` in the whole cluster."""
    metadata = shared("proa-view", "cli", **{"rbac.authorization.k8s.io/aggregate-to-view": "true"})
    return _role("ClusterRole", metadata, _VIEWING)


def _role(kind: str, metadata: Fields, permissions: Iterable[Permission]) -> Fields:
    rules = [Noted(permission.why, _rule(permission)) for permission in permissions]
    return {"apiVersion": f"{_API}/v1", "kind": kind, "metadata": metadata, "rules": rules}


def _rule(permission: Permission) -> Tree:
    rule: dict[str, Tree] = {
        "apiGroups": list(permission.groups),
        "resources": list(permission.resources),
        "verbs": list(permission.verbs),
    }
    return {**rule, "resourceNames": list(permission.names)} if permission.names else rule


def _binding(kind: str, metadata: Fields, account: str, namespace: str) -> Fields:
    return {
        "apiVersion": f"{_API}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _API, "kind": kind, "name": metadata["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }


_VIEWING: Final = (
    Permission(
        ("admissionregistration.k8s.io",),
        ("mutatingwebhookconfigurations",),
        ("list",),
        namespaced=False,
        why="installation/observing.py and tracing.py tell which registration takes a pod, and installation/reading.py"
        " whether another injector would, too",
    ),
    Permission(
        ("certificates.k8s.io",),
        ("clustertrustbundles",),
        ("list",),
        namespaced=False,
        why="installation/reading.py tells whether the authority has published its roots",
    ),
)
