"""What one of our processes may do to the API server, each rule with the reason it is asked for. Pure.

A process's table is the only source of its Role and ClusterRole, and of what `proa check` asks for.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Permission:
    """One RBAC rule (rbac.authorization.k8s.io/v1 PolicyRule). *groups* holds "" for the core group; without *names*
    it is any object's. A *namespaced* one is bound in Proa's own namespace, any other in the whole cluster.
    *why* says which code needs it.
    """

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    namespaced: bool
    why: str
    names: tuple[str, ...] = ()
