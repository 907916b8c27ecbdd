"""A revision's MutatingWebhookConfiguration: which pods the API server asks the webhook about. Pure.

What `webhook.decision` would leave alone is not sent where a selector or a CEL match condition can tell, so that an
absent webhook keeps no such pod from starting. Whatever the labels are, at most one entry of all revisions matches.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final, TypeAlias, cast

from msgspec import json

from proa import dns, names
from proa.errors import Invalid, shown
from proa.json import Json
from proa.mesh import MeshConfiguration
from webhook.decision import OPT_OUT

INJECT_PATH: Final = "/inject"
NAMESPACE_PATH: Final = "/inject/namespace"
"""Where a pod is sent because of its namespace's label: the webhook so knows that label to be there, although it may
not have seen it itself yet."""
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

Requirement: TypeAlias = dict[str, Json]
"""meta/v1 LabelSelectorRequirement."""


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


@dataclass(frozen=True, slots=True)
class _Entry:
    """One of the ways to be opted in: the labels that select for it, and what else must hold of the pod (CEL)."""

    name: str
    namespace: tuple[Requirement, ...]
    pod: tuple[Requirement, ...]
    conditions: tuple[Json, ...]
    path: str = INJECT_PATH


def registration(revision: Revision, trust: Trust = Trust.PROA) -> Json:
    """The MutatingWebhookConfiguration (admissionregistration.k8s.io/v1), without a caBundle: see *trust*."""
    name = revision.named(names.WEBHOOK)
    metadata: dict[str, Json] = {"name": name}
    if trust is Trust.CERT_MANAGER:
        metadata["annotations"] = {CERT_MANAGER_ANNOTATION: f"{names.SYSTEM_NAMESPACE}/{name}"}
    found: Json = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": metadata,
        "webhooks": [_webhook(entry, on_failure, revision) for on_failure, entry in product(_ON_FAILURE, _ENTRIES)],
    }
    # No part of it twice the same object: YAML would write aliases, and who changes one would change another.
    return cast("Json", json.decode(json.encode(found)))


def _webhook(entry: _Entry, on_failure: str, revision: Revision) -> Json:
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
        "namespaceSelector": _selector(_NOT_SYSTEM, _revision(revision), chosen, *entry.namespace),
        "objectSelector": _selector(*entry.pod),
        "matchConditions": [*_WORTH_ASKING, *entry.conditions],
        "failurePolicy": policy,
        # Asked again about what others changed since, such as containers with probes that came later (decision 0009).
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "None",
        "timeoutSeconds": _TIMEOUT_SECONDS,
        "admissionReviewVersions": ["v1"],
    }


def _revision(revision: Revision) -> Requirement:
    return _is_in(names.REVISION, revision.name) if revision.name else _is_absent(names.REVISION)


def _selector(*requirements: Requirement) -> Json:
    return {"matchExpressions": [dict(requirement) for requirement in requirements]}


def _is_in(key: str, *values: str) -> Requirement:
    return {"key": key, "operator": "In", "values": list(values)}


def _is_not_in(key: str, *values: str) -> Requirement:
    """Holds without the label, too."""
    return {"key": key, "operator": "NotIn", "values": list(values)}


def _is_there(key: str) -> Requirement:
    return {"key": key, "operator": "Exists"}


def _is_absent(key: str) -> Requirement:
    return {"key": key, "operator": "DoesNotExist"}


def _condition(name: str, expression: str) -> Json:
    return {"name": name, "expression": expression}


def _cel_text(value: str) -> str:
    return f"'{value}'"


def _annotated(key: str) -> str:
    # An absent field is an error in CEL, and an error is failurePolicy's: every field is asked for first.
    return f"has(object.metadata.annotations) && {_cel_text(key)} in object.metadata.annotations"


def _either(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_cel_text, values))}]"


_NOT_SYSTEM: Final = _is_not_in("kubernetes.io/metadata.name", *NEVER_MATCHED)
_ON_FAILURE: Final = {
    # A value that is neither fails closed: a misspelling must not be what takes the sidecars away.
    "closed": ("Fail", _is_not_in(names.ON_FAILURE, "open")),
    "open": ("Ignore", _is_in(names.ON_FAILURE, "open")),
}
_WORTH_ASKING: Final = (
    _condition("not-host-network", "!has(object.spec.hostNetwork) || !object.spec.hostNetwork"),
    _condition("not-windows", "!has(object.spec.os) || object.spec.os.name != 'windows'"),
)
_OPTED_OUT_BY_ANNOTATION: Final = (
    f"{_annotated(names.INJECT)} && object.metadata.annotations[{_cel_text(names.INJECT)}] in {_either(OPT_OUT)}"
)
_BY_ANNOTATION: Final = (
    _condition("annotated", _annotated(names.INJECT)),
    _condition("not-opted-out", f"!({_OPTED_OUT_BY_ANNOTATION})"),
)
# Whatever is no opt-out is sent, so that a value that is neither is refused with words.
_ASKED: Final = (_is_there(names.INJECT), _is_not_in(names.INJECT, *OPT_OUT))


def _entries() -> Iterator[_Entry]:
    """The pod's label before anything else; only without one its annotation and its namespace, as in the decision.

    A selector cannot say "absent or one of", so an annotation has two entries: one for each kind of namespace that
    does not opt in by itself.

    Names and their number are for ever: each entry is the leader's too, by its caBundle, so that a server-side apply
    without it leaves a rest of it, which the API server refuses.
    """
    unlabelled = (_is_absent(names.INJECT),)
    yield _Entry("pod-label", (), _ASKED, ())
    yield _Entry("namespace", _ASKED, unlabelled, _BY_ANNOTATION[1:], NAMESPACE_PATH)
    yield _Entry("pod-annotation", unlabelled, unlabelled, _BY_ANNOTATION)
    yield _Entry("pod-annotation-only", (_is_in(names.INJECT, *OPT_OUT),), unlabelled, _BY_ANNOTATION)


_ENTRIES: Final = tuple(_entries())
