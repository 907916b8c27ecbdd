"""The registration's selectors and CEL, evaluated by a real API server: which pods it would ask a webhook about.

No webhook stands behind: whoever is matched is refused, and the API server names the entry. The keys are the test's
own, so that a Proa that is installed does not see these pods.
"""

import asyncio
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import pytest

from kube.client import Client, connected
from kube.failures import ApiRefused
from kube.resources import PODS
from proa import names
from proa.errors import Invalid
from proa.mesh import MeshConfiguration, mesh_configuration
from support.kubectl import GONE, OF_A_TEST, Kubectl, eventually
from support.registrations import takes_namespace, takes_pod
from webhook.decision import Inject, Subject, decision
from webhook.decoding import converted
from webhook.pod import Pod
from webhook.registration import Revision, registration

pytestmark = pytest.mark.beside_others

WISHES: Final = (None, "enabled", "disabled", "false", "yes")
REVISIONS: Final = (None, "canary", "gone")
ON_FAILURE: Final = (None, "open")
INJECTED: Final = [{"name": name, "image": "x"} for name in (names.INIT_CONTAINER, names.PROXY_CONTAINER)]
SHAPES: Final[Mapping[str, Any]] = {
    "host network": {"spec": {"hostNetwork": True}},
    "no host network": {"spec": {"hostNetwork": False}},
    "windows": {"spec": {"os": {"name": "windows"}}},
    "linux": {"spec": {"os": {"name": "linux"}}},
    "injected": {"status": "{}", "spec": {"initContainers": INJECTED}},
    "record without containers": {"status": "{}"},
    "record with one container": {"status": "{}", "spec": {"initContainers": INJECTED[:1]}},
    "containers without a record": {"spec": {"initContainers": INJECTED}},
}
MATCHED: Final = re.compile(r'failed calling webhook "([^"]+)"')


@dataclass(frozen=True)
class Home:
    """A namespace by its labels."""

    inject: str | None
    revision: str | None
    on_failure: str | None

    @property
    def labels(self) -> dict[str, str]:
        found = {names.INJECT: self.inject, names.REVISION: self.revision, names.ON_FAILURE: self.on_failure}
        return {key: value for key, value in found.items() if value is not None}


@dataclass(frozen=True)
class Cluster:
    kubectl: Kubectl
    keys: str
    """What stands for `proa.dev/`."""
    homes: Mapping[Home, str]

    def disguised(self, value: Any) -> Any:
        return json.loads(json.dumps(value).replace(f"{names.PREFIX}/", self.keys))

    async def matched(self, client: Client, namespace: str, pod: Any) -> str | None:
        """The entry that the API server would have asked about *pod*."""
        made = {"apiVersion": "v1", "kind": "Pod", **self.disguised(pod)}
        made["metadata"] |= {"name": "asked", "namespace": namespace}
        try:
            await client.create(PODS, made, dry_run=True)
        except ApiRefused as refused:
            found = MATCHED.search(refused.message)
            if found is None:
                raise
            return found[1]
        return None


@pytest.fixture(scope="module")
def cluster(kubectl: Kubectl) -> Iterator[Cluster]:
    run = secrets.token_hex(4)
    homes = {Home(*choice): f"test-{run}-{n}" for n, choice in enumerate(product(WISHES, REVISIONS, ON_FAILURE))}
    made = Cluster(kubectl, f"{run}.example/", homes)
    registrations = [made.disguised(registration(Revision(name))) for name in ("", "canary")]
    for each in registrations:
        each["metadata"]["name"] += f"-{run}"
        for entry in each["webhooks"]:
            # What is asked here is who is matched: of an entry that fails open nothing would be seen.
            entry["failurePolicy"] = "Fail"
            entry["clientConfig"]["service"]["name"] = "there-is-none"
    with ExitStack() as cleanup:
        cleanup.callback(kubectl, "delete", "namespace", *homes.values(), *GONE)
        kubectl.create(*(namespace(name, made.disguised(home.labels)) for home, name in homes.items()))
        for name in homes.values():
            inside = kubectl.within(name)
            eventually(lambda inside=inside: inside("get", "serviceaccount", "default", "--ignore-not-found"), name)
        for each in registrations:
            cleanup.callback(kubectl, "delete", "mutatingwebhookconfiguration", each["metadata"]["name"], *GONE)
        kubectl.create(*registrations)
        for revision in (None, "canary"):
            asked = kubectl.within(homes[Home("enabled", revision, None)])
            eventually(lambda asked=asked: refused(asked), "the registration's being in force")
        yield made


@dataclass(frozen=True)
class Configured:
    """A configuration whose registration is in force for namespaces of its own."""

    name: str
    document: str
    homes: tuple[dict[str, str], ...]
    pods: tuple[dict[str, Any], ...]


INJECT: Final = names.INJECT
ISTIO: Final = "sidecar.istio.io/inject"
JOB: Final = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "1", "controller": True}
CONFIGURED: Final = (
    Configured(
        "policy",
        """
injection:
  policy: enabled
  never: {pods: {matchLabels: {app: legacy}}, namespaces: {matchLabels: {team: infra}}}
  owners: {Job: disabled}
""",
        ({}, {"team": "infra"}, {INJECT: "disabled"}, {INJECT: "enabled"}),
        (
            {},
            {"labels": {"app": "legacy"}},
            {"labels": {"app": "legacy"}, "annotations": {INJECT: "enabled"}},
            {"annotations": {INJECT: "disabled"}},
            {"ownerReferences": [JOB]},
            {"ownerReferences": [{**JOB, "controller": False}]},
            {"ownerReferences": [{key: value for key, value in JOB.items() if key != "controller"}]},
        ),
    ),
    Configured(
        "always",
        """
injection:
  always: {pods: {matchExpressions: [{key: app, operator: NotIn, values: [x]}]}, namespaces: {matchLabels: {team: web}}}
  never: {pods: {matchExpressions: [{key: app, operator: Exists}]}}
""",
        ({}, {"team": "web"}, {INJECT: "false"}),
        ({}, {"labels": {"app": "x"}}, {"annotations": {INJECT: "yes"}}),
    ),
    Configured(
        "istio",
        "vocabulary: istio",
        (
            {},
            {"istio-injection": "enabled"},
            {"istio-injection": "disabled"},
            {"istio.io/rev": "default"},
            {"istio.io/rev": "gone"},
            {INJECT: "disabled", "istio-injection": "enabled"},
        ),
        (
            {},
            *({"labels": {ISTIO: value}} for value in ("true", "false", "yes", "")),
            *({"annotations": {ISTIO: value}} for value in ("true", "false", "yes", "")),
            {"labels": {ISTIO: "true"}, "annotations": {INJECT: "disabled"}},
            {"annotations": {ISTIO: "true", INJECT: "disabled"}},
            {"labels": {"istio.io/rev": "default"}},
            {"labels": {"istio.io/rev": "gone"}},
        ),
    ),
)


@pytest.mark.parametrize("configured", CONFIGURED, ids=lambda each: each.name)
async def test_the_api_server_asks_what_the_model_of_it_says(kubectl: Kubectl, configured: Configured) -> None:
    """`support.registrations` reads selectors and CEL as the API server does: what is proved by it holds there."""
    run = secrets.token_hex(4)
    mark = {"proa.test/run": run}
    homes = {f"test-{run}-{number}": {**labels, **mark} for number, labels in enumerate(configured.homes)}
    configuration = mesh_configuration(configured.document)
    cluster = Cluster(kubectl, f"{run}.example/", {})
    made: Any = registration(Revision(), configuration=configuration)
    made["metadata"]["name"] += f"-{run}"
    for entry in made["webhooks"]:
        entry["failurePolicy"] = "Fail"
        entry["clientConfig"]["service"]["name"] = "there-is-none"
        entry["namespaceSelector"]["matchExpressions"].append(
            {"key": "proa.test/run", "operator": "In", "values": [run]}
        )
    with ExitStack() as cleanup:
        cleanup.callback(kubectl, "delete", "namespace", *homes, *GONE)
        kubectl.create(*(namespace(name, cluster.disguised(labels)) for name, labels in homes.items()))
        for name in homes:
            inside = kubectl.within(name)
            eventually(lambda inside=inside: inside("get", "serviceaccount", "default", "--ignore-not-found"), name)
        cleanup.callback(kubectl, "delete", "mutatingwebhookconfiguration", made["metadata"]["name"], *GONE)
        kubectl.create(cluster.disguised(made))
        sure = kubectl.within(next(iter(homes)))
        eventually(lambda: refused(sure, cluster.disguised(f"{INJECT}=enabled")), "the registration's being in force")
        async with connected(kubectl.kubeconfig) as client:
            for (name, labels), metadata in product(homes.items(), configured.pods):
                pod = {"metadata": metadata, "spec": {"containers": [{"name": "app", "image": "x"}]}}
                entries = [
                    each["name"]
                    for each in made["webhooks"]
                    if takes_namespace(each, name, labels) and takes_pod(each, name, pod)
                ]
                found = await cluster.matched(client, name, {**pod, "metadata": dict(metadata)})
                assert ([] if found is None else [found]) == entries, (labels, metadata)


def namespace(name: str, labels: dict[str, str]) -> dict[str, Any]:
    """It says that it is a test's: those that compare the whole cluster leave it out while it ends."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {OF_A_TEST: "", **labels}}}


def refused(kubectl: Kubectl, labels: str = "a=b") -> bool:
    try:
        kubectl("run", "probe", "--image=x", "--dry-run=server", f"--labels={labels}")
    except AssertionError as failed:
        return "failed calling webhook" in str(failed)
    return False


def pod_of(label: str | None, annotation: str | None, status: str | None = None, **spec: Any) -> dict[str, Any]:
    annotations = {names.INJECT: annotation, names.STATUS: status}
    return {
        "metadata": {
            "labels": {} if label is None else {names.INJECT: label},
            "annotations": {key: value for key, value in annotations.items() if value is not None},
        },
        "spec": {"containers": [{"name": "app", "image": "x"}], **spec},
    }


def wanted(home: Home, pod: Any) -> bool:
    """Whether the decision would inject or refuse *pod*: then it must be asked about."""
    found = converted(pod, Pod, "")
    try:
        return isinstance(decision(Subject(found, "demo", home.labels, MeshConfiguration())), Inject)
    except Invalid:
        return True


async def every_answer(cluster: Cluster, pods: list[Any]) -> list[tuple[Home, Any, str | None]]:
    asked = list(product(cluster.homes.items(), pods))
    at_once = asyncio.Semaphore(16)
    async with connected(cluster.kubectl.kubeconfig) as client:

        async def one(name: str, pod: Any) -> str | None:
            async with at_once:
                return await cluster.matched(client, name, pod)

        found = await asyncio.gather(*(one(name, pod) for (_, name), pod in asked))
    return [(home, pod, entry) for ((home, _), pod), entry in zip(asked, found, strict=True)]


def check(answers: list[tuple[Home, Any, str | None]]) -> None:
    for home, pod, entry in answers:
        expected = home.revision != "gone" and wanted(home, pod)
        assert (entry is not None) == expected, (home, pod, entry)
        if entry is not None:
            policy, revision = entry.split(".")[1:3]
            assert policy == (home.on_failure or "closed")
            assert revision == (home.revision or "default")


async def test_the_api_server_asks_about_what_would_be_injected_or_refused_and_nothing_else(cluster: Cluster) -> None:
    answers = await every_answer(cluster, [pod_of(*wishes) for wishes in product(WISHES, WISHES)])
    check(answers)
    ways = {entry.split(".")[0] for _, _, entry in answers if entry}
    assert ways == {"pod-label", "namespace", "pod-annotation", "pod-annotation-only"}


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_is_never_injected_is_not_asked_about_and_no_field_that_is_missing_is_an_error(
    cluster: Cluster, shape: str
) -> None:
    more = SHAPES[shape]
    ways = (("enabled", None), (None, "enabled"), (None, None))
    pods = [pod_of(*way, more.get("status"), **more.get("spec", {})) for way in ways]
    answers = await every_answer(cluster, pods)
    check(answers)
    asked = any(entry for _, _, entry in answers)
    assert asked == (shape not in {"host network", "windows"})


async def test_a_pod_without_any_annotations_is_no_error_of_an_expression(cluster: Cluster) -> None:
    pod = {"metadata": {}, "spec": {"containers": [{"name": "app", "image": "x"}]}}
    check([(home, pod_of(None, None), entry) for home, _, entry in await every_answer(cluster, [pod])])


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public"])
async def test_no_pod_of_a_system_namespace_is_asked_about(cluster: Cluster, namespace: str) -> None:
    async with connected(cluster.kubectl.kubeconfig) as client:
        assert await cluster.matched(client, namespace, pod_of("enabled", "enabled")) is None
