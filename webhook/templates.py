"""Where pods stand in documents: every kind that carries one, in a list or by itself, and what to call it. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from yaml.nodes import Node, SequenceNode

from proa.documents import at, items, plain, text_at
from proa.edits import added
from proa.errors import Invalid, Problems, shown
from proa.json import Json
from webhook.pod import OwnerReference

Places: TypeAlias = Mapping[tuple[str, str], tuple[str, ...]]
"""Where a kind's pod stands, by API group and kind: another group's Job is another thing."""

TEMPLATES: Final[Places] = {
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
_MAKERS: Final = {("apps", "Deployment"): "ReplicaSet", ("batch", "CronJob"): "Job"}
"""What makes the pods of a kind that makes none itself."""
_PLACE: Final = re.compile(r"(?:([a-z0-9.-]+)/)?([A-Z][A-Za-z0-9]*)=([a-z][A-Za-z0-9]*(?:\.[a-z][A-Za-z0-9]*)*)")
_LONGEST_TITLE: Final = 600
"""Characters: more than a kind, a namespace and a name may have in Kubernetes."""


@dataclass(frozen=True, slots=True)
class Template:
    """A pod in a document: *node* is the object that carries it at *path*."""

    node: Node
    path: tuple[str, ...]

    @property
    def pod(self) -> Json:
        found = at(self.node, *self.path)
        return None if found is None else plain(found)

    @property
    def owner(self) -> OwnerReference | None:
        """The controller of the pods that will be made; None for a pod, which says it itself."""
        api_group, name = kind(self.node)
        if name in ("Pod", "PodTemplate"):
            return None
        maker = _MAKERS.get((api_group, name), name)
        return OwnerReference(kind=maker, api_version=f"{api_group}/v1".lstrip("/"), controller=True)

    def placed(self, problem: Invalid) -> Invalid:
        """*problem* of the pod, as one of the whole stream."""
        return placed(problem, self.node, self.path)


def template_places(options: tuple[str, ...]) -> Places:
    """Every kind of Kubernetes' own, and those that *options* name, such as `argoproj.io/Rollout=spec.template`.

    Raises Refused with every option that is none.
    """
    problems = Problems()
    places: dict[tuple[str, str], tuple[str, ...]] = {**TEMPLATES}
    for option in options:
        if (found := _PLACE.fullmatch(option)) is None:
            problems.add([Invalid("template path", shown(option), "group/Kind=path.to.template")])
        else:
            places[(found[1] or "", found[2])] = tuple(found[3].split("."))
    problems.refuse("the command line")
    return places


def rewritten(document: Node, change: Callable[[Template], Node], places: Places = TEMPLATES) -> Node:
    """*document* with every object that carries a pod as *change* gives it back; the rest as it is."""
    match listed(document):
        case None:
            return _rewritten(document, change, places.get(kind(document)))
        case found:
            # Items of a PodList need not say that they are Pods.
            group, name = kind(document)
            same = places.get((group, name.removesuffix("List")))
            own = ((item, places.get(kind(item)) if text_at(item, "kind") else same) for item in items(found))
            changed = [_rewritten(item, change, path) for item, path in own]
            into = SequenceNode(found.tag, changed, found.start_mark, found.end_mark, found.flow_style)
            return added(document, ("items",), into)


def _rewritten(node: Node, change: Callable[[Template], Node], path: tuple[str, ...] | None) -> Node:
    return node if path is None else change(Template(node, path))


def objects(document: Node) -> list[Node]:
    found = listed(document)
    return [document] if found is None else items(found)


def listed(document: Node) -> SequenceNode | None:
    """The items of a List, or of a list of one kind such as a DeploymentList."""
    found = at(document, "items") if text_at(document, "kind").endswith("List") else None
    return found if isinstance(found, SequenceNode) else None


def kind(node: Node) -> tuple[str, str]:
    """API group and kind; the version is not looked at, as pods look the same in all of them."""
    group, slash, _ = text_at(node, "apiVersion").rpartition("/")
    return (group if slash else "", text_at(node, "kind"))


def title(node: Node) -> str:
    """Kind, namespace and name."""
    name = text_at(node, "metadata", "name") or text_at(node, "metadata", "generateName") or "without a name"
    namespace = text_at(node, "metadata", "namespace")
    what = text_at(node, "kind") or "item"
    words = f"{what} {namespace}/{name}" if namespace else f"{what} {name}"
    # Whoever wrote the file chose these words: on a terminal they must not be able to pass for another line.
    return words if words.isprintable() and len(words) <= _LONGEST_TITLE else shown(words)


def placed(problem: Invalid, node: Node, path: tuple[str, ...]) -> Invalid:
    """*problem* of what stands at *path* in *node*, as one of the whole stream."""
    where = ".".join(path)
    below = problem.under(where) if where else problem
    return Invalid(f"{title(node)}: {below.field or 'the object'}", below.found, below.allowed)
