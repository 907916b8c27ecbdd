"""The pods of a YAML stream explained without a cluster, as `proa inject` would find them. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from yaml.nodes import Node

from installation.explanation import Explanation, explanation, unread
from installation.trees import text, texts
from proa import names
from proa.documents import plain, read
from proa.errors import Problems
from proa.json import Json
from proa.mesh import MeshConfiguration, Vocabulary
from proa.namespaces import ISTIO_INJECTION, ISTIO_REVISION, OPT_IN
from webhook.decision import Subject
from webhook.decoding import converted
from webhook.pod import Pod
from webhook.registration import Revision, registration
from webhook.sidecar import Sidecar, sidecar
from webhook.templates import Template, kind, objects, rewritten, title


@dataclass(frozen=True, slots=True)
class Traced:
    """One pod and its explanation; *notes* say what was taken for granted."""

    title: str
    notes: tuple[str, ...]
    explanation: Explanation


def traced(stream: str | bytes, configuration: MeshConfiguration) -> tuple[Traced, ...]:
    """Every pod and pod template of *stream*. Raises Refused with the problems of all of them at once."""
    problems = Problems()
    found: list[Traced] = []
    with problems.collected():
        documents = read(stream)
        tracing = _Tracing(configuration, sidecar(configuration), _namespaces(documents))

        def attempted(template: Template) -> Node:
            inner = Problems()
            with inner.collected():
                found.append(tracing.template(template))
                return template.node
            problems.add(map(template.placed, inner.refusal("").problems))
            return template.node

        for document in documents:
            rewritten(document, attempted)
    problems.refuse("the input")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Tracing:
    configuration: MeshConfiguration
    sidecar: Sidecar
    namespaces: Mapping[str, Mapping[str, str]]

    def template(self, template: Template) -> Traced:
        pod, namespace = template.pod, text(plain(template.node), "metadata", "namespace")
        known = namespace in self.namespaces
        labels = self.namespaces[namespace] if known else {names.INJECT: OPT_IN[0]}
        subject = Subject(converted(pod, Pod, ""), namespace, labels, self.configuration, template.owner)
        of_pod = texts(pod, "metadata", "labels")
        revisions = sorted({labels.get(names.REVISION, ""), *_by_istio(labels, of_pod, self.configuration)})
        registered = tuple(registration(Revision(each), configuration=self.configuration) for each in revisions)
        told = explanation(subject, pod, registered, self.sidecar)
        notes = () if known else (_granted(namespace),)
        return Traced(title(template.node), (*notes, *unread(subject)), told)


def _by_istio(labels: Mapping[str, str], of_pod: Mapping[str, str], configuration: MeshConfiguration) -> Iterator[str]:
    """The revisions that Istio's labels name; its `default` is the one without a name."""
    if configuration.vocabulary is Vocabulary.ISTIO:
        for found in (labels, of_pod):
            named = found.get(ISTIO_REVISION, "")
            yield "" if named == "default" else named
        if ISTIO_INJECTION in labels:
            yield ""


def _granted(namespace: str) -> str:
    which = f"namespace {namespace}" if namespace else "its namespace"
    return f"{which} is not in the file: it is taken to be labelled {names.INJECT}={OPT_IN[0]}"


def _namespaces(documents: Iterable[Node]) -> dict[str, Mapping[str, str]]:
    found: Iterable[Json] = (
        plain(item) for document in documents for item in objects(document) if kind(item) == ("", "Namespace")
    )
    return {text(each, "metadata", "name"): texts(each, "metadata", "labels") for each in found}
