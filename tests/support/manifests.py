"""Manifests of every kind that carries a pod, and streams of them injected."""

from typing import Any

import yaml

from proa.mesh import MeshConfiguration
from webhook.stream import Injected, injected

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app"}]}}
WORKLOADS = {
    "Pod": ("v1", ()),
    "PodTemplate": ("v1", ("template",)),
    "ReplicationController": ("v1", ("spec", "template")),
    "Deployment": ("apps/v1", ("spec", "template")),
    "StatefulSet": ("apps/v1", ("spec", "template")),
    "DaemonSet": ("apps/v1", ("spec", "template")),
    "ReplicaSet": ("apps/v1", ("spec", "template")),
    "Job": ("batch/v1", ("spec", "template")),
    "CronJob": ("batch/v1", ("spec", "jobTemplate", "spec", "template")),
}


def manifest(kind: str, template: Any = TEMPLATE, namespace: str | None = None) -> dict[str, Any]:
    version, path = WORKLOADS[kind]
    body = template
    for key in reversed(path):
        body = {key: body}
    metadata = {"name": "web"} | ({} if namespace is None else {"namespace": namespace})
    return {"apiVersion": version, "kind": kind} | body | {"metadata": metadata | body.get("metadata", {})}


def template_of(kind: str, document: Any) -> Any:
    for key in WORKLOADS[kind][1]:
        document = document[key]
    return document


def of(*documents: Any) -> Injected:
    return injected(yaml.safe_dump_all(documents, sort_keys=False), MeshConfiguration())


def decided(result: Injected) -> list[tuple[str, str]]:
    return [(verdict.title, verdict.decision.reason.code) for verdict in result.verdicts]
