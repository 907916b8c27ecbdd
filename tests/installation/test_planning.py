from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.changes import title
from installation.installed import Found, found, own_options, shared_options, upgraded_image
from installation.objects import objects
from installation.options import Options, PodSecurity, Profile, PullPolicy, Scope
from installation.planning import (
    KINDS,
    Given,
    in_order_of_removal,
    installing,
    mesh_document,
    of_revision,
    surplus,
    upgrading,
)
from kube.resources import resource_of
from proa.errors import Invalid, Refused
from proa.json import Json
from proa.release import VERSION
from webhook.registration import Trust

NOTHING = found((), (), (), ())


def in_cluster(*installed: tuple[Json, ...]) -> Found:
    """As if these objects were what the API server lists."""
    everything: list[Any] = [each for objects_ in installed for each in objects_]

    def of(*kinds: str) -> list[Any]:
        return [each for each in everything if each["kind"] in kinds]

    return found(of("Deployment"), of("MutatingWebhookConfiguration"), of("ConfigMap"), of("ValidatingAdmissionPolicy"))


def titles(wanted: tuple[Json, ...]) -> set[str]:
    return {str(title(each)) for each in wanted}


options = st.builds(
    Options,
    revision=st.sampled_from(["", "blue"]),
    image=st.sampled_from([f"proa:{VERSION}", f"mirror.example/proa:{VERSION}", "proa@sha256:0"]),
    pull_policy=st.sampled_from(PullPolicy),
    profile=st.sampled_from(Profile),
    trust=st.sampled_from(Trust),
    pod_security=st.sampled_from(PodSecurity),
    mesh=st.sampled_from([{}, {"peerTls": "strict"}, {"init": {"image": "other:1"}}, {"proxy": {"concurrency": 4}}]),
)


@given(options)
def test_the_options_of_an_installation_are_read_off_its_objects(chosen: Options) -> None:
    assert own_options(in_cluster(objects(chosen)), chosen.revision) == chosen


@given(options)
def test_the_shared_options_are_those_of_the_first_installation(chosen: Options) -> None:
    shared = shared_options(in_cluster(objects(chosen)))
    assert replace(shared, trust=chosen.trust, revision=chosen.revision) == chosen


@given(options)
def test_upgrading_without_options_changes_nothing_of_the_same_version(chosen: Options) -> None:
    if not chosen.revision:
        assert upgrading(in_cluster(objects(chosen)), "", Given()) == objects(chosen)


def test_a_number_of_replicas_that_no_profile_has_is_kept() -> None:
    chosen = Options(replicas=5)
    assert own_options(in_cluster(objects(chosen)), "").count == 5
    assert Given(profile=Profile.MINIMAL).laid_on(chosen).count == 1


def test_a_first_installation_is_everything() -> None:
    assert installing(NOTHING, "", Given()) == objects(Options())
    assert installing(NOTHING, "blue", Given()) == objects(Options(revision="blue"))


def test_a_second_revision_brings_nothing_of_what_is_shared() -> None:
    beside = titles(installing(in_cluster(objects(Options())), "blue", Given()))
    assert "Deployment proa-system/proa-webhook-blue" in beside
    assert not beside & titles(objects(Options()))


def test_a_second_revision_begins_with_what_the_default_one_has_set_and_with_an_image_of_its_own() -> None:
    """Their sidecars are to trust each other: a trust domain, for instance, is a setting."""
    mesh: dict[str, Json] = {"trustDomain": "example.org", "init": {"resources": {}}}
    present = in_cluster(objects(Options(image=f"mirror.example/proa:{VERSION}", mesh=mesh)))
    for asked, expected in ((Given(), mesh), (Given(mesh={}), {})):
        beside = installing(present, "blue", asked)
        assert beside == objects(Options(revision="blue", mesh=expected, scope=Scope.REVISION))


def test_installing_again_keeps_the_configuration_and_obeys_what_is_given() -> None:
    present = in_cluster(objects(Options(mesh={"peerTls": "strict"})))
    assert installing(present, "", Given()) == objects(Options(mesh={"peerTls": "strict"}))
    again = installing(present, "", Given(mesh={}, profile=Profile.HA))
    assert again == objects(Options(profile=Profile.HA))


def test_a_configuration_that_outlived_its_webhook_is_kept() -> None:
    present = in_cluster(objects(Options(mesh={"peerTls": "strict"})))
    alone = replace(present, deployments={})
    assert installing(alone, "", Given()) == objects(Options(mesh={"peerTls": "strict"}))


def in_version(version: str, installed: tuple[Json, ...]) -> Found:
    present = in_cluster(installed)
    for deployment in present.deployments.values():
        assert isinstance(deployment, dict)
        deployment["metadata"]["labels"]["app.kubernetes.io/version"] = version  # type: ignore[call-overload, index]
    return present


def test_another_version_is_not_installed_over_but_upgraded() -> None:
    present = in_version("0.0.9", objects(Options(image="mirror.example/proa:0.0.9")))
    with pytest.raises(Invalid, match="proa upgrade"):
        installing(present, "", Given())
    assert upgrading(present, "", Given()) == objects(Options(image=f"mirror.example/proa:{VERSION}"))


def test_an_image_whose_tag_is_not_its_version_must_be_named() -> None:
    with pytest.raises(Invalid, match="--image"):
        upgraded_image("proa:latest", "0.0.9")
    present = in_version("0.0.9", objects(Options(image="proa:latest")))
    with pytest.raises(Invalid, match="--image"):
        upgrading(present, "", Given())


def test_what_is_not_installed_is_not_upgraded() -> None:
    with pytest.raises(Invalid, match="proa install"):
        upgrading(NOTHING, "", Given())
    with pytest.raises(Invalid, match=r"installed one \(revision 'blue', revision 'green'\)"):
        upgrading(in_cluster(*(objects(Options(revision=name)) for name in ("blue", "green"))), "", Given())


def test_certificates_go_over_to_cert_manager_and_not_back() -> None:
    for revision in ("", "blue"):
        own, certified = (Options(revision=revision, trust=trust) for trust in (Trust.PROA, Trust.CERT_MANAGER))
        there = upgrading(in_cluster(objects(own)), revision, Given(trust=Trust.CERT_MANAGER))
        assert titles(there) == titles(objects(certified))
        for planning in (installing, upgrading):
            with pytest.raises(Invalid, match="another revision"):
                planning(in_cluster(objects(certified)), revision, Given(trust=Trust.PROA))


def test_upgrading_a_revision_leaves_the_default_ones_configuration() -> None:
    default, blue = objects(Options(mesh={"peerTls": "strict"})), objects(Options(revision="blue"))
    present = in_cluster(blue, default)
    wanted: Any = upgrading(present, "blue", Given(mesh={"proxy": {"concurrency": 4}}))
    maps = {each["metadata"]["name"]: each["data"]["mesh.yaml"] for each in wanted if each["kind"] == "ConfigMap"}
    assert "\nproxy:" in maps["proa-blue"]
    assert "\npeerTls: strict" in maps["proa"]
    assert present.revisions == ("", "blue")


def test_what_a_smaller_profile_has_no_use_for_is_surplus() -> None:
    present, wanted = objects(Options()), objects(Options(profile=Profile.MINIMAL))
    assert titles(surplus(present, wanted, "")) == {
        "PodDisruptionBudget proa-system/proa-ca",
        "PodDisruptionBudget proa-system/proa-webhook",
    }


def test_neither_another_revision_nor_what_is_not_proas_is_surplus() -> None:
    stranger: Json = {"kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "proa-system"}}
    present = (*objects(Options()), *objects(Options(revision="blue")), stranger)
    assert surplus(present, objects(Options()), "") == ()


@pytest.mark.parametrize(("kind", "name"), [("Namespace", "shop"), ("Namespace", "proa-shop"), ("ClusterRole", "mine")])
def test_what_somebody_else_labelled_as_a_part_of_proa_is_never_removed(kind: str, name: str) -> None:
    stranger: Json = {
        "apiVersion": "v1" if kind == "Namespace" else "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "proa", "proa.dev/rev": "default"}},
    }
    present = (*objects(Options()), stranger)
    assert stranger not in in_order_of_removal(present)
    assert stranger not in of_revision(present, "")
    assert surplus(present, objects(Options()), "") == ()


@given(options)
def test_everything_of_an_installation_can_be_removed_again(chosen: Options) -> None:
    present = objects(chosen)
    assert titles(in_order_of_removal(present)) == titles(present)


def test_a_revision_that_goes_takes_nothing_shared_along() -> None:
    both = (*objects(Options()), *objects(Options(revision="blue")))
    assert titles(of_revision(both, "blue")).isdisjoint(titles(objects(Options())))
    assert titles(of_revision(both, "")) < titles(objects(Options()))


@given(st.randoms())
def test_the_registration_goes_first_and_the_namespace_last(random: Any) -> None:
    present = list(objects(Options(trust=Trust.CERT_MANAGER, pod_security=PodSecurity.BASELINE)))
    random.shuffle(present)
    order: Any = in_order_of_removal(present)
    assert order[0]["kind"] == "MutatingWebhookConfiguration"
    assert order[-1]["kind"] == "Namespace"


def test_every_kind_of_every_installation_is_known() -> None:
    for profile, trust, security, revision in product(Profile, Trust, PodSecurity, ["", "blue"]):
        chosen = Options(revision=revision, profile=profile, trust=trust, pod_security=security)
        assert set(map(resource_of, objects(chosen))) <= set(KINDS)


def test_a_mesh_configuration_at_fault_is_refused_with_every_field() -> None:
    with pytest.raises(Refused) as refusal:
        mesh_document(b"proxy: {concurrency: 0}\nnope: 1\n")
    assert {problem.field for problem in refusal.value.problems} == {"proxy.concurrency", "nope"}
    assert mesh_document(b"") == {}
    assert mesh_document(b"peerTls: strict") == {"peerTls": "strict"}
