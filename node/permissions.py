"""What `proa-node` may do to the API server, each rule with the code that needs it. Pure."""

from typing import Final

from proa.names import NODE_AGENT
from proa.permissions import Permission

PERMISSIONS: Final = (
    Permission(
        groups=("",),
        resources=("pods",),
        verbs=("get", "list", "watch"),
        namespaced=False,
        why="node/population.py watches its node's pods, and asks for one that a runtime names before the watch does",
    ),
    Permission(
        groups=("events.k8s.io",),
        resources=("events",),
        verbs=("get", "create", "patch"),
        namespaced=False,
        why="node/repair.py tells of pods that started without interception (kube/events.py)",
    ),
    Permission(
        groups=("",),
        resources=("nodes",),
        verbs=("get", "patch"),
        namespaced=False,
        why="node/taint.py lifts the taint that keeps pods off its node; RBAC knows no rule for one's own node alone",
    ),
    Permission(
        groups=("apps",),
        resources=("daemonsets",),
        verbs=("get",),
        names=(NODE_AGENT,),
        namespaced=True,
        why="node/leaving.py tells whether the agent is taken away, and its plugin with it, or is only started anew",
    ),
)

DELETING: Final = Permission(
    groups=("",),
    resources=("pods",),
    verbs=("delete",),
    namespaced=False,
    why="node/repair.py deletes pods that cannot be intercepted, where UNREPAIRABLE asks for it",
)
"""Beside the others, for who wishes so."""
