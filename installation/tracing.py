"""Reads what `proa explain` says of a pod in a cluster. Shell: what it means is `explanation`'s."""

import asyncio
import json

from installation import survey
from installation.explanation import explanation, unread
from installation.offline import Traced
from installation.reading import read_configuration
from installation.state import BadConfiguration, NoConfiguration, registered
from installation.trees import texts
from kube.client import Client
from kube.resources import MUTATING_WEBHOOKS, NAMESPACES, PODS
from proa import names
from proa.documents import plain
from proa.errors import Invalid, Refused
from proa.json import Json
from proa.mesh import MeshConfiguration
from webhook.customising import fingerprint
from webhook.decision import Subject
from webhook.decoding import converted
from webhook.pod import Pod
from webhook.sidecar import Sidecar, sidecar
from webhook.status import recorded
from webhook.stream import uninjected

_UNCONFIGURED = "the defaults are taken for the configuration: "


async def traced_pod(client: Client, namespace: str, name: str) -> Traced:
    """Why the pod is as it is. Raises NotFound, Forbidden and whatever else the API server refuses."""
    pod, space, registrations = await asyncio.gather(
        client.get(PODS, name, namespace), client.get(NAMESPACES, namespace), client.list(MUTATING_WEBHOOKS)
    )
    labels = texts(space, "metadata", "labels")
    revision = labels.get(names.REVISION, "")
    ours = [each for each in registrations if registered(survey.entries(each))]
    configuration, notes = _usable(await read_configuration(client, revision))
    original, more = _original(pod)
    subject = Subject(converted(original, Pod, ""), namespace, labels, configuration)
    given = sidecar(configuration)
    told = explanation(subject, original, ours, given)
    return Traced(f"Pod {namespace}/{name}", (*notes, *unread(subject), *more, *_age(pod, configuration, given)), told)


def _usable(found: MeshConfiguration | NoConfiguration | BadConfiguration) -> tuple[MeshConfiguration, tuple[str, ...]]:
    match found:
        case MeshConfiguration():
            return found, ()
        case NoConfiguration(what):
            return MeshConfiguration(), (f"{_UNCONFIGURED}{what}",)
        case BadConfiguration(problems):
            return MeshConfiguration(), (f"{_UNCONFIGURED}{'; '.join(problems)}",)


def _original(pod: Json) -> tuple[Json, tuple[str, ...]]:
    """The pod as it was sent: what the webhook was asked about, and what it would be asked about again."""
    if names.STATUS not in texts(pod, "metadata", "annotations"):
        return pod, ()
    try:
        (document,) = uninjected(json.dumps(pod)).documents
    except Refused as refusal:
        found = "; ".join(problem.found for problem in refusal.problems)
        return pod, (f"its injection cannot be taken back ({found}), so this is about the pod as it is",)
    return plain(document), ("it carries a sidecar: this is what was asked, and what would be asked again, without it",)


def _age(pod: Json, configuration: MeshConfiguration, given: Sidecar) -> tuple[str, ...]:
    annotations = texts(pod, "metadata", "annotations")
    status = annotations.get(names.STATUS)
    if status is None:
        return ()
    try:
        current = recorded(status).fingerprint == fingerprint(annotations, configuration, given.fingerprint)
    except Invalid:
        current = False
    return () if current else ("its sidecar is outdated: it is not what the configuration in force gives",)
