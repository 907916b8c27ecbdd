"""What the webhook may do to the API server: nothing but read what it decides by, and keep its caBundle. Pure."""

from proa import names
from proa.permissions import Permission
from webhook.registration import Revision


def permissions(revision: Revision) -> tuple[Permission, ...]:
    """The rules of *revision*'s ServiceAccount."""
    name = revision.named(names.WEBHOOK)
    return (
        Permission(
            groups=("",),
            resources=("namespaces",),
            verbs=("get", "list", "watch"),
            namespaced=False,
            why="webhook.namespaces decides by the labels of a pod's namespace, from memory",
        ),
        Permission(
            groups=("admissionregistration.k8s.io",),
            resources=("mutatingwebhookconfigurations",),
            verbs=("get", "list", "watch", "patch"),
            names=(name,),
            namespaced=False,
            why="webhook.publishing applies the caBundle of its own registration, which webhook.standing watches;"
            " without create it can make none",
        ),
        Permission(
            groups=("",),
            resources=("configmaps",),
            verbs=("get", "list", "watch"),
            names=(revision.named(names.CONFIGURATION_MAP),),
            namespaced=True,
            why="kube.configuration follows the mesh configuration",
        ),
        Permission(
            groups=("events.k8s.io",),
            resources=("events",),
            verbs=("create", "get", "patch"),
            namespaced=True,
            why="kube.configuration tells in an Event when the mesh configuration cannot be used",
        ),
        Permission(
            groups=("coordination.k8s.io",),
            resources=("leases",),
            verbs=("create",),
            namespaced=True,
            why="kube.leader makes the Lease; RBAC cannot bind create to a name",
        ),
        Permission(
            groups=("coordination.k8s.io",),
            resources=("leases",),
            verbs=("get", "update"),
            names=(name,),
            namespaced=True,
            why="kube.leader holds and releases it: one replica writes the caBundle",
        ),
    )
