"""Where pods stand: in lists of one kind, in kinds that the user names; and each goes there and back."""

from typing import Any

import pytest
import yaml

from proa.documents import as_yaml, plain
from proa.errors import Refused
from proa.mesh import MeshConfiguration, mesh_configuration
from support.manifests import TEMPLATE, WORKLOADS, decided, manifest, of, template_of
from webhook.stream import injected, uninjected
from webhook.templates import template_places


@pytest.mark.parametrize("kind", WORKLOADS)
def test_a_list_of_one_kind_is_taken_as_a_list_is(kind: str) -> None:
    version, _ = WORKLOADS[kind]
    whole, bare = (
        manifest(kind),
        {key: each for key, each in manifest(kind).items() if key not in {"apiVersion", "kind"}},
    )
    result = of({"apiVersion": version, "kind": f"{kind}List", "items": [whole, bare]})
    assert decided(result) == [(f"{kind} web", "namespace_enabled"), ("item web", "namespace_enabled")]
    after: Any = plain(result.documents[0])
    one, other = (template_of(kind, item)["spec"] for item in after["items"])
    assert one == other
    assert len(one["initContainers"]) == 2


def test_a_list_of_what_carries_no_pod_passes_through() -> None:
    listed = {"apiVersion": "v1", "kind": "ServiceList", "items": [{"spec": {"template": {}}}, manifest("Job")]}
    assert decided(of(listed)) == [("Job web", "namespace_enabled")]


ROLLOUT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "web"},
    "spec": {"template": TEMPLATE},
}


def test_a_kind_that_the_user_names_is_a_workload_like_others() -> None:
    places = template_places(("argoproj.io/Rollout=spec.template", "Thing=template"))
    text = yaml.safe_dump_all([ROLLOUT, ROLLOUT | {"apiVersion": "other.io/v1"}, manifest("Deployment")])
    result = injected(text, MeshConfiguration(), places)
    assert [verdict.title for verdict in result.verdicts] == ["Rollout web", "Deployment web"]
    again = injected(as_yaml(result.documents), MeshConfiguration(), places)
    assert [verdict.decision.reason.code for verdict in again.verdicts] == ["already_injected"] * 2
    assert as_yaml(again.documents) == as_yaml(result.documents)
    restored = uninjected(as_yaml(result.documents), places)
    assert [plain(document) for document in restored.documents] == list(yaml.safe_load_all(text))


@pytest.mark.parametrize(
    "option", ["", "Rollout", "rollout=spec", "a/b/Kind=spec", "Kind=", "Kind=spec.", "Kind=a b", "K=x/y"]
)
def test_what_is_no_path_of_a_kind_is_refused(option: str) -> None:
    with pytest.raises(Refused, match="template path"):
        template_places((option,))


@pytest.mark.parametrize("kind", WORKLOADS)
def test_the_output_as_input_stays_as_it_is_and_comes_back_as_it_was(kind: str) -> None:
    text = yaml.safe_dump(manifest(kind, namespace="demo"), sort_keys=False)
    once = as_yaml(injected(text, MeshConfiguration()).documents)
    again = injected(once, MeshConfiguration())
    assert as_yaml(again.documents) == once
    assert as_yaml(uninjected(once).documents) == text


def test_what_was_injected_with_another_configuration_is_brought_up_to_date() -> None:
    text = yaml.safe_dump(manifest("Deployment"))
    old = injected(text, mesh_configuration("proxy: {image: old}"))
    result = injected(as_yaml(old.documents), MeshConfiguration())
    assert decided(result) == [("Deployment web", "injected_again")]
    assert plain(result.documents[0]) == plain(injected(text, MeshConfiguration()).documents[0])
