"""What was found in a cluster, as values that checks can look at: projections of what the API server sends. Pure.

A part that could not be read is `Unread`, with the reason: a check that needs it says so instead of guessing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from installation.rights import Right
from installation.trees import listed, member, text, texts
from kube.resources import Resource
from proa import names
from proa.json import Json
from proa.programming import ByPod, Programming
from webhook.podsecurity import ENFORCED, FORBIDDING

T = TypeVar("T")

_NUMBERS: Final = re.compile(r"v?(\d+)\.(\d+)")
_READY: Final = "Ready"


_BY_PODS: Final = ByPod()


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of the survey that is not known; *why* is for people."""

    why: str


Part: TypeAlias = T | Unread


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """Major and minor of a version; what is no version is 0.0, older than everything."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True, slots=True)
class Node:
    """A node as its kubelet reports it (core/v1 NodeSystemInfo)."""

    name: str
    ready: bool
    system: str
    """`linux` or `windows`."""
    kernel: str
    kubelet: str


@dataclass(frozen=True, slots=True)
class Namespace:
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    terminating: bool
    labelled: str = ""
    """When the label that opts it in was last set (RFC 3339), if its managed fields tell."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One webhook of a MutatingWebhookConfiguration that is asked when a pod is created."""

    configuration: str
    name: str
    namespace_selector: Json
    object_selector: Json
    service: str
    """`namespace/name` of the Service that is called; empty where a URL is."""
    trusted: str
    """The caBundle, base64; empty where there is none."""
    conditions: tuple[tuple[str, str], ...] = ()
    """Match conditions: names and expressions."""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What an installation would meet. *unserved*: the APIs that Proa needs and the API server does not serve."""

    version: str
    unserved: tuple[Resource, ...]
    denied: Part[tuple[Right, ...]]
    nodes: Part[tuple[Node, ...]]
    namespaces: Part[tuple[Namespace, ...]]
    entries: Part[tuple[Entry, ...]]
    programming: Programming = _BY_PODS
    """Of the mesh that is, or is to be, there."""


def known(part: Part[tuple[T, ...]]) -> tuple[T, ...]:
    """What was read of *part*: nothing where it is Unread."""
    return () if isinstance(part, Unread) else part


def forbids_sidecars(namespace: Namespace) -> bool:
    """Whether the API server refuses every injected pod there."""
    return namespace.labels.get(ENFORCED) in FORBIDDING


def release(version: str) -> Release:
    """The release of `v1.37.2`, `1.37+`, `6.18.5-cloud`: what kubelets, API servers and kernels call themselves."""
    found = _NUMBERS.match(version)
    return Release(int(found[1]), int(found[2])) if found else Release(0, 0)


def node(raw: Json) -> Node:
    info = member(raw, "status", "nodeInfo")
    conditions = {text(each, "type"): text(each, "status") for each in listed(raw, "status", "conditions")}
    return Node(
        name=text(raw, "metadata", "name"),
        ready=conditions.get(_READY) == "True",
        system=text(info, "operatingSystem"),
        kernel=text(info, "kernelVersion"),
        kubelet=text(info, "kubeletVersion"),
    )


def namespace(raw: Json) -> Namespace:
    return Namespace(
        name=text(raw, "metadata", "name"),
        labels=texts(raw, "metadata", "labels"),
        annotations=texts(raw, "metadata", "annotations"),
        terminating=text(raw, "status", "phase") == "Terminating",
        labelled=max(
            (text(each, "time") for each in listed(raw, "metadata", "managedFields") if _opts(each)), default=""
        ),
    )


def _opts(managed: Json) -> bool:
    owned = member(managed, "fieldsV1", "f:metadata", "f:labels")
    return isinstance(owned, dict) and f"f:{names.INJECT}" in owned


def entries(raw: Json) -> tuple[Entry, ...]:
    """The webhooks of a MutatingWebhookConfiguration that a new pod may reach."""
    return tuple(_entry(raw, each) for each in listed(raw, "webhooks") if _asked_for_pods(each))


def _entry(raw: Json, webhook: Json) -> Entry:
    service = member(webhook, "clientConfig", "service")
    return Entry(
        configuration=text(raw, "metadata", "name"),
        name=text(webhook, "name"),
        namespace_selector=member(webhook, "namespaceSelector"),
        object_selector=member(webhook, "objectSelector"),
        service=f"{text(service, 'namespace')}/{text(service, 'name')}" if service else "",
        trusted=text(webhook, "clientConfig", "caBundle"),
        conditions=tuple((text(each, "name"), text(each, "expression")) for each in listed(webhook, "matchConditions")),
        path=text(service, "path"),
    )


def _asked_for_pods(webhook: Json) -> bool:
    return any(
        _any_of(listed(rule, "apiGroups"), "")
        and _any_of(listed(rule, "resources"), "pods")
        and _any_of(listed(rule, "operations"), "CREATE")
        for rule in listed(webhook, "rules")
    )


def _any_of(allowed: list[Json], wanted: str) -> bool:
    return wanted in allowed or "*" in allowed or "*/*" in allowed
