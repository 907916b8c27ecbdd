"""A YAML stream with its pods and pod templates injected, for `proa inject`: the webhook's own code, no cluster. Pure.

What carries no pod passes through. A namespace whose Namespace stands in the stream decides as it would in the
cluster; any other counts as labelled, as the user named the file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import UNSET
from yaml.nodes import Node, SequenceNode

from proa import names
from proa.documents import added, at, items, node_of, plain, read, text_at
from proa.errors import Invalid, Problems, Refused, shown
from proa.mesh import MeshConfiguration
from webhook.decision import Decision, Subject
from webhook.decoding import converted
from webhook.injection import injection
from webhook.patch import pointed
from webhook.pod import Metadata, Pod
from webhook.sidecar import Sidecar, sidecar

_TEMPLATES: Final = {
    ("", "Pod"): (),
    ("", "PodTemplate"): ("template",),
    ("", "ReplicationController"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("batch", "Job"): ("spec", "template"),
}
"""Where a kind's pod stands, by API group and kind: another group's Job is another thing."""
_LONGEST_TITLE: Final = 600
"""Characters: more than a kind, a namespace and a name may have in Kubernetes."""
_AS_LABELLED: Final = {names.INJECT: "enabled"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided of one object; *title* is its kind, namespace and name."""

    title: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class Injected:
    """The stream as it leaves, and a verdict for each object that carries a pod."""

    documents: tuple[Node, ...]
    verdicts: tuple[Verdict, ...]


def injected(stream: str | bytes, configuration: MeshConfiguration) -> Injected:
    """*stream* with the sidecar of *configuration*. Raises Refused with the problems of every document at once."""
    problems = Problems()
    with problems.collected():
        documents = read(stream)
        work = _Work(configuration, sidecar(configuration), _namespaces(documents), problems)
        rewritten = tuple(map(work.document, documents))
        if not problems:
            return Injected(rewritten, tuple(work.verdicts))
    raise problems.refusal("the input")


@dataclass(frozen=True, slots=True)
class _Work:
    """What is the same for every document of a stream, and what is collected from them."""

    configuration: MeshConfiguration
    sidecar: Sidecar
    namespaces: Mapping[str, Mapping[str, str]]
    problems: Problems
    verdicts: list[Verdict] = field(default_factory=list[Verdict])

    def document(self, document: Node) -> Node:
        """A document with its pod injected, or each of a List's."""
        match _listed(document):
            case None:
                return self._object(document)
            case listed:
                objects = [self._object(item) for item in items(listed)]
                changed = SequenceNode(listed.tag, objects, listed.start_mark, listed.end_mark, listed.flow_style)
                return added(document, ("items",), changed)

    def _object(self, node: Node) -> Node:
        path = _TEMPLATES.get(_kind(node))
        if path is None:
            return node
        try:
            return self._injected(node, path)
        except Invalid as problem:
            self.problems.add([_placed(problem, node, path)])
        except Refused as refusal:
            self.problems.add(_placed(problem, node, path) for problem in refusal.problems)
        return node

    def _injected(self, node: Node, path: tuple[str, ...]) -> Node:
        template = at(node, *path)
        pod = converted(None if template is None else plain(template), Pod, "")
        namespace = text_at(node, "metadata", "namespace")
        labels = self.namespaces.get(namespace, _AS_LABELLED)
        planned = injection(Subject(pod, namespace, labels, self.configuration), self.sidecar)
        self.verdicts.append(Verdict(_title(node), planned.decision))
        for operation in planned.operations:
            node = added(node, (*path, *pointed(operation.path)), node_of(msgspec.json.decode(operation.value)))
        return node


def _listed(document: Node) -> SequenceNode | None:
    listed = at(document, "items") if _kind(document) == ("", "List") else None
    return listed if isinstance(listed, SequenceNode) else None


def _namespaces(documents: Iterable[Node]) -> dict[str, Mapping[str, str]]:
    """The labels that mean something to Proa, of each Namespace of the stream."""
    objects = (item for document in documents for item in _objects(document))
    return {text_at(node, "metadata", "name"): _labels(node) for node in objects if _kind(node) == ("", "Namespace")}


def _objects(document: Node) -> list[Node]:
    listed = _listed(document)
    return [document] if listed is None else items(listed)


def _labels(namespace: Node) -> Mapping[str, str]:
    metadata = at(namespace, "metadata")
    try:
        labels = converted({} if metadata is None else plain(metadata), Metadata, "").labels
    except Invalid as problem:
        raise _placed(problem, namespace, ("metadata",)) from problem
    return {} if labels is None or labels.inject is UNSET else {names.INJECT: labels.inject}


def _placed(problem: Invalid, node: Node, path: tuple[str, ...]) -> Invalid:
    """*problem* of what stands at *path* in *node*, as one of the whole stream."""
    where = ".".join(path)
    placed = problem.under(where) if where else problem
    return Invalid(f"{_title(node)}: {placed.field or 'the object'}", placed.found, placed.allowed)


def _kind(node: Node) -> tuple[str, str]:
    """API group and kind; the version is not looked at, as pods look the same in all of them."""
    group, slash, _ = text_at(node, "apiVersion").rpartition("/")
    return (group if slash else "", text_at(node, "kind"))


def _title(node: Node) -> str:
    name = text_at(node, "metadata", "name") or text_at(node, "metadata", "generateName") or "without a name"
    namespace = text_at(node, "metadata", "namespace")
    title = f"{text_at(node, 'kind')} {namespace}/{name}" if namespace else f"{text_at(node, 'kind')} {name}"
    # Whoever wrote the file chose these words: on a terminal they must not be able to pass for another line.
    return title if title.isprintable() and len(title) <= _LONGEST_TITLE else shown(title)
