import pytest

from installation.explanation import Verdict
from installation.offline import traced
from proa.errors import Refused
from proa.mesh import MeshConfiguration
from webhook.stream import injected

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec: {containers: [{name: app}]}\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {%s}}\n"
CRON_JOB = """apiVersion: batch/v1
kind: CronJob
metadata: {name: hourly, namespace: shop}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: app}]}}}}}
"""


def test_a_namespace_that_is_not_in_the_file_is_taken_for_labelled_and_that_is_said() -> None:
    (found,) = traced(POD, MeshConfiguration())
    assert (found.title, found.explanation.verdict) == ("Pod shop/web", Verdict.INJECTED)
    assert found.notes == ("namespace shop is not in the file: it is taken to be labelled proa.dev/inject=enabled",)


def test_a_namespace_of_the_file_decides_as_it_would_in_the_cluster() -> None:
    (found,) = traced(f"{NAMESPACE % ''}---\n{POD}", MeshConfiguration())
    assert (found.notes, found.explanation.verdict) == ((), Verdict.NOT_ASKED)
    (found,) = traced(f"{NAMESPACE % 'proa.dev/inject: enabled, proa.dev/rev: blue'}---\n{POD}", MeshConfiguration())
    assert found.explanation.verdict is Verdict.INJECTED
    assert all(entry.configuration == "proa-webhook-blue" for entry in found.explanation.entries)


def test_every_kind_that_carries_a_pod_is_explained_as_it_would_be_injected() -> None:
    stream = f"{POD}---\n{CRON_JOB}---\n{NAMESPACE % ''}"
    explained, decided = traced(stream, MeshConfiguration()), injected(stream, MeshConfiguration()).verdicts
    assert [each.title for each in explained] == [each.title for each in decided]


def test_the_problems_of_every_document_are_told_at_once() -> None:
    broken = POD.replace("[{name: app}]", "[]")
    with pytest.raises(Refused) as refusal:
        traced(f"{broken}---\n{POD}---\n{broken}", MeshConfiguration())
    assert len(refusal.value.problems) == 2
