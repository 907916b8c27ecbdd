"""A revision's MutatingWebhookConfiguration: which pods the API server asks the webhook about. Pure.

What `webhook.decision` would leave alone is not sent where a selector or a CEL match condition can tell, so that an
absent webhook keeps no such pod from starting. Whatever a pod and its namespace say, at most one entry of all revisions
matches. It is made of the mesh configuration: docs/decisions/0010.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final, cast

from msgspec import json

from proa import dns, names
from proa.errors import Invalid, shown
from proa.json import Json
from proa.mesh import MeshConfiguration
from webhook.conditions import WORTH_ASKING
from webhook.entries import INJECT_PATH, NAMESPACE_NAME, NAMESPACE_PATH, Entry, Requirement, entries, is_in, is_not_in

__all__ = ["INJECT_PATH", "NAMESPACE_PATH", "NEVER_MATCHED", "Revision", "Trust", "registration"]

SERVICE_PORT: Final = 443
CERT_MANAGER_ANNOTATION: Final = "cert-manager.io/inject-ca-from"
NEVER_MATCHED: Final = (*MeshConfiguration().never_inject_namespaces, names.SYSTEM_NAMESPACE)
"""Namespaces whose pods are never sent: the cluster must be able to start without the webhook, and so must it."""

_TIMEOUT_SECONDS: Final = 5
"""An answer takes a millisecond and waits for a second at most; whoever creates the pod waits for longer."""
_LONGEST_REVISION: Final = 63 - len(f"{names.WEBHOOK}-")
"""Its Service's name is a DNS label."""
_LABEL: Final = re.compile(dns.LABEL)
_DEFAULT: Final = "default"
_DOMAIN: Final = f"webhook.{names.PREFIX}"


@dataclass(frozen=True, slots=True)
class Revision:
    """One of several installed versions; the default one has the empty name and injects what names no other.

    Raises Invalid for what is no DNS label, and for `default`, which would be taken for the default one.
    """

    name: str = ""

    def __post_init__(self) -> None:
        usable = _LABEL.fullmatch(self.name) and len(self.name) <= _LONGEST_REVISION and self.name != _DEFAULT
        if self.name and not usable:
            allowed = f"1 to {_LONGEST_REVISION} of a-z, 0-9 and '-', but not {_DEFAULT!r}; nothing is the default one"
            raise Invalid("revision", shown(self.name), allowed)

    def named(self, name: str) -> str:
        """*name* as this revision's objects carry it."""
        return f"{name}-{self.name}" if self.name else name


class Trust(StrEnum):
    """Who keeps the registration's caBundle."""

    PROA = "proa"
    """The webhook's leader, from the authority's trust bundle."""
    CERT_MANAGER = "cert-manager"
    """Its CA injector, from the Certificate that has the name of the registration."""


def registration(revision: Revision, trust: Trust = Trust.PROA, configuration: MeshConfiguration | None = None) -> Json:
    """The MutatingWebhookConfiguration (admissionregistration.k8s.io/v1) that asks about what *configuration*, or else
    the default one, decides; without a caBundle: see *trust*.
    """
    name = revision.named(names.WEBHOOK)
    metadata: dict[str, Json] = {"name": name}
    if trust is Trust.CERT_MANAGER:
        metadata["annotations"] = {CERT_MANAGER_ANNOTATION: f"{names.SYSTEM_NAMESPACE}/{name}"}
    asked = entries(revision.name, configuration or MeshConfiguration())
    found: Json = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": metadata,
        "webhooks": [_webhook(entry, on_failure, revision) for on_failure, entry in product(_ON_FAILURE, asked)],
    }
    # No part of it twice the same object: YAML would write aliases, and who changes one would change another.
    return cast("Json", json.decode(json.encode(found)))


def _webhook(entry: Entry, on_failure: str, revision: Revision) -> Json:
    policy, chosen = _ON_FAILURE[on_failure]
    return {
        # The API server's metrics count by this name, of all registrations together.
        "name": f"{entry.name}.{on_failure}.{revision.name or _DEFAULT}.{_DOMAIN}",
        "clientConfig": {
            "service": {
                "namespace": names.SYSTEM_NAMESPACE,
                "name": revision.named(names.WEBHOOK),
                "path": entry.path,
                "port": SERVICE_PORT,
            }
        },
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }
        ],
        # A pod made through another version of the API, should one come, is a pod as well and is sent as v1.
        "matchPolicy": "Equivalent",
        "namespaceSelector": _selector(_NOT_SYSTEM, *entry.namespace, chosen),
        "objectSelector": _selector(*entry.pod),
        "matchConditions": [
            {"name": each.name, "expression": each.holds.cel} for each in (*WORTH_ASKING, *entry.conditions)
        ],
        "failurePolicy": policy,
        # Asked again about what others changed since, such as containers with probes that came later (decision 0009).
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "None",
        "timeoutSeconds": _TIMEOUT_SECONDS,
        "admissionReviewVersions": ["v1"],
    }


def _selector(*requirements: Requirement) -> Json:
    """Without requirements as the API server gives it back, for which an empty list is an absent one."""
    return {"matchExpressions": [dict(each) for each in requirements]} if requirements else {}


_NOT_SYSTEM: Final = is_not_in(NAMESPACE_NAME, *NEVER_MATCHED)
_ON_FAILURE: Final = {
    # A value that is neither fails closed: a misspelling must not be what takes the sidecars away.
    "closed": ("Fail", is_not_in(names.ON_FAILURE, "open")),
    "open": ("Ignore", is_in(names.ON_FAILURE, "open")),
}
