"""YAML streams with their pods and pod templates injected, or with that undone, as the webhook would. Pure.

What carries no pod passes through. A namespace whose Namespace stands in the stream decides as it would in the
cluster; any other counts as labelled, as the user named the file.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
from yaml.nodes import Node

from proa import names
from proa.documents import at, node_of, plain, read, text_at
from proa.edits import added, removed
from proa.errors import Invalid, Problems
from proa.mesh import MeshConfiguration
from webhook.decision import Decision, Subject
from webhook.decoding import converted
from webhook.injection import Origin, injection
from webhook.operations import Add, Operation, Remove, pointed
from webhook.pod import Metadata, Pod
from webhook.sidecar import Sidecar, sidecar
from webhook.templates import TEMPLATES, Places, Template, kind, objects, placed, rewritten, title
from webhook.uninjection import uninjection

_AS_LABELLED: Final = {names.INJECT: "enabled"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided of one object, and what its user should know; *title* is its kind, namespace and name."""

    title: str
    decision: Decision
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Injected:
    """The stream as it leaves, and a verdict for each object that carries a pod."""

    documents: tuple[Node, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """An object that carries a pod; *changed* says whether an injection was undone in it."""

    title: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Uninjected:
    """The stream as it leaves, and what was done to each object that carries a pod."""

    documents: tuple[Node, ...]
    objects: tuple[Restored, ...]


def injected(stream: str | bytes, configuration: MeshConfiguration, places: Places = TEMPLATES) -> Injected:
    """*stream* with the sidecar of *configuration* wherever *places* says that a pod is.

    Raises Refused with the problems of every document at once.
    """
    verdicts: list[Verdict] = []

    def whole(documents: tuple[Node, ...]) -> Callable[[Template], Node]:
        return _Injecting(configuration, sidecar(configuration), _namespaces(documents), verdicts).object

    return Injected(_changed(stream, whole, places), tuple(verdicts))


def uninjected(stream: str | bytes, places: Places = TEMPLATES) -> Uninjected:
    """*stream* with every injection undone. Raises Refused with the problems of every document at once."""
    restored: list[Restored] = []

    def undone(template: Template) -> Node:
        operations = uninjection(template.pod)
        restored.append(Restored(title(template.node), bool(operations)))
        return _edited(template, operations)

    return Uninjected(_changed(stream, lambda _: undone, places), tuple(restored))


def _changed(
    stream: str | bytes, changing: Callable[[tuple[Node, ...]], Callable[[Template], Node]], places: Places
) -> tuple[Node, ...]:
    """The documents of *stream* as *changing*, which sees all of them, makes of each template."""
    problems = Problems()
    with problems.collected():
        documents = read(stream)
        change = changing(documents)

        def attempted(template: Template) -> Node:
            inner = Problems()
            with inner.collected():
                return change(template)
            problems.add(map(template.placed, inner.refusal("").problems))
            return template.node

        result = tuple(rewritten(document, attempted, places) for document in documents)
        if not problems:
            return result
    raise problems.refusal("the input")


def _edited(template: Template, operations: Iterable[Operation]) -> Node:
    node = template.node
    for operation in operations:
        path = (*template.path, *pointed(operation.path))
        match operation:
            case Add(value=value):
                node = added(node, path, node_of(msgspec.json.decode(value)))
            case Remove():
                node = removed(node, path)
    return node


@dataclass(frozen=True, slots=True)
class _Injecting:
    """What is the same for every document of a stream, and the verdicts so far."""

    configuration: MeshConfiguration
    sidecar: Sidecar
    namespaces: Mapping[str, Mapping[str, str]]
    verdicts: list[Verdict] = field(default_factory=list[Verdict])

    def object(self, template: Template) -> Node:
        pod = converted(template.pod, Pod, "")
        namespace = text_at(template.node, "metadata", "namespace")
        labels = self.namespaces.get(namespace, _AS_LABELLED)
        subject = Subject(pod, namespace, labels, self.configuration, template.owner)
        planned = injection(subject, self.sidecar, lambda: template.pod, Origin.FILE)
        self.verdicts.append(Verdict(title(template.node), planned.decision, planned.warnings))
        return _edited(template, planned.operations)


def _namespaces(documents: Iterable[Node]) -> dict[str, Mapping[str, str]]:
    """The labels of each Namespace of the stream."""
    found = (item for document in documents for item in objects(document))
    return {text_at(node, "metadata", "name"): _labels(node) for node in found if kind(node) == ("", "Namespace")}


class _Labelled(msgspec.Struct):
    metadata: Metadata | None = None


def _labels(namespace: Node) -> Mapping[str, str]:
    metadata = at(namespace, "metadata")
    try:
        found = converted({"metadata": None if metadata is None else plain(metadata)}, _Labelled, "").metadata
    except Invalid as problem:
        raise placed(problem, namespace, ()) from problem
    return {} if found is None else {key: str(value) for key, value in (found.labels or {}).items()}
