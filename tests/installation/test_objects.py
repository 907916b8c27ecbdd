from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca import permissions as authority
from ca.accounts.permissions import IN_NAMESPACES
from ca.accounts.permissions import PERMISSIONS as ACCOUNTS
from ca.istio.permissions import PERMISSIONS as ISTIO
from installation.certmanager import secrets
from installation.objects import described, objects
from installation.options import Options, PodSecurity, Profile, Scope
from proa import names
from proa.errors import Refused
from proa.mesh import PeerTls, mesh_configuration
from support.installations import OPTIONS, REVISIONS, by_reference, of_kind, reference
from webhook.permissions import permissions
from webhook.registration import Revision, Trust, registration

SECURITY = "pod-security.kubernetes.io"


def made(options: Options) -> list[Any]:
    return list(objects(options))


@given(OPTIONS)
def test_every_object_says_what_it_belongs_to(options: Options) -> None:
    for each in made(options):
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "proa"
        assert labels["app.kubernetes.io/version"] == "0.1.0"
        assert labels["app.kubernetes.io/component"]
        # The API server's bound, which a long revision could exceed.
        assert all(len(value) <= 63 for value in labels.values())


@given(OPTIONS)
def test_a_revisions_own_objects_name_it_and_shared_ones_name_none(options: Options) -> None:
    for each in made(replace(options, scope=Scope.REVISION)):
        assert each["metadata"]["labels"][names.REVISION] == (options.revision or "default")
    for each in made(replace(options, scope=Scope.SHARED)):
        assert names.REVISION not in each["metadata"]["labels"]


@given(OPTIONS)
def test_no_object_is_there_twice_and_what_is_not_clusterwide_is_in_our_namespace(options: Options) -> None:
    found = made(options)
    assert len({reference(each) for each in found}) == len(found)
    assert {each["metadata"].get("namespace", names.SYSTEM_NAMESPACE) for each in found} == {names.SYSTEM_NAMESPACE}


@given(OPTIONS)
def test_what_is_shared_and_what_is_a_revisions_own_are_together_all(options: Options) -> None:
    shared, own, everything = (
        made(replace(options, scope=scope)) for scope in (Scope.SHARED, Scope.REVISION, Scope.ALL)
    )
    assert shared + own == everything


@given(REVISIONS, REVISIONS)
def test_two_revisions_share_no_object_of_their_own(one: str, other: str) -> None:
    for trust in Trust:
        chosen = (Options(revision=name, trust=trust, scope=Scope.REVISION) for name in (one, other))
        own, others = ({reference(each) for each in (*found, *secrets(found))} for found in map(objects, chosen))
        assert one == other or not own & others


@given(OPTIONS)
def test_the_namespace_comes_before_what_is_in_it_and_the_registration_after_who_answers(options: Options) -> None:
    kinds = [each["kind"] for each in made(replace(options, scope=Scope.ALL))]
    assert kinds[0] == "Namespace"
    assert kinds[-1] == "MutatingWebhookConfiguration"
    assert kinds[-2] == "Deployment"


@given(OPTIONS)
def test_the_registration_is_the_webhooks_own_with_labels(options: Options) -> None:
    for each in of_kind(made(options), "MutatingWebhookConfiguration"):
        labels = each["metadata"].pop("labels")
        assert labels["app.kubernetes.io/component"] == "webhook"
        assert each == registration(Revision(options.revision), options.trust)


@given(OPTIONS)
def test_every_process_is_confined_as_the_restricted_standard_asks_and_more(options: Options) -> None:
    for each in of_kind(made(options), "Deployment"):
        spec = each["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] == 65532
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert all("hostPath" not in volume for volume in spec.get("volumes", []))
        assert container["image"] == options.image
        assert container["imagePullPolicy"] == options.pull_policy


@given(OPTIONS)
def test_selectors_and_budgets_meet_the_pods_of_their_own_deployment_alone(options: Options) -> None:
    found = made(replace(options, scope=Scope.ALL))
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in of_kind(found, "Deployment")
    }

    def met(selector: dict[str, str]) -> list[str]:
        return [name for name, labels in pods.items() if selector.items() <= labels.items()]

    for each in of_kind(found, "Deployment") + of_kind(found, "PodDisruptionBudget"):
        assert met(each["spec"]["selector"]["matchLabels"]) == [each["metadata"]["name"]]
    for each in of_kind(found, "Service"):
        assert met(each["spec"]["selector"]) == [each["metadata"]["name"]]


@given(OPTIONS)
def test_each_process_is_granted_its_table_and_nothing_else(options: Options) -> None:
    found = made(replace(options, scope=Scope.ALL))
    webhook = Revision(options.revision).named(names.WEBHOOK)
    doors = options.mesh.get("authority", {})
    istio, accounts = (table if door in doors else () for door, table in (("istio", ISTIO), ("secrets", ACCOUNTS)))
    tables = {names.AUTHORITY: authority.PERMISSIONS, webhook: permissions(Revision(options.revision))}
    for name, table in {**tables, f"{names.AUTHORITY}-istio": istio, f"{names.AUTHORITY}-accounts": accounts}.items():
        for kind, namespaced in (("Role", True), ("ClusterRole", False)):
            rules = [
                rule for each in of_kind(found, kind) if each["metadata"]["name"] == name for rule in each["rules"]
            ]
            assert rules == [
                {
                    "apiGroups": list(each.groups),
                    "resources": list(each.resources),
                    "verbs": list(each.verbs),
                    **({"resourceNames": list(each.names)} if each.names else {}),
                }
                for each in table
                if each.namespaced is namespaced
            ]


def test_no_permission_is_for_everything_and_none_is_without_its_reason() -> None:
    for each in (*authority.PERMISSIONS, *ISTIO, *ACCOUNTS, *IN_NAMESPACES, *permissions(Revision())):
        assert "*" not in (*each.groups, *each.resources, *each.verbs)
        assert each.why


@given(OPTIONS)
def test_every_binding_is_to_a_role_and_an_account_that_are_there(options: Options) -> None:
    everything = by_reference(made(replace(options, scope=Scope.ALL)))
    for (kind, namespace, _), each in everything.items():
        if kind.endswith("Binding") and "roleRef" in each:
            assert (each["roleRef"]["kind"], namespace, each["roleRef"]["name"]) in everything
            (subject,) = each["subjects"]
            assert ("ServiceAccount", subject["namespace"], subject["name"]) in everything


@given(OPTIONS)
def test_the_mesh_of_the_configuration_is_what_was_asked_for(options: Options) -> None:
    for each in of_kind(made(options), "ConfigMap"):
        mesh = mesh_configuration(each["data"][names.CONFIGURATION_KEY])
        assert mesh.peer_tls == options.mesh.get("peerTls", PeerTls.PERMISSIVE)
        assert mesh.init.image == ("other:1" if "init" in options.mesh else options.image)


def test_the_namespace_holds_its_pods_to_the_restricted_standard_and_is_never_injected() -> None:
    (namespace,) = of_kind(made(Options()), "Namespace")
    labels = namespace["metadata"]["labels"]
    assert {labels[f"{SECURITY}/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}
    assert labels[names.INJECT] == "disabled"


@pytest.mark.parametrize(
    ("profile", "replicas", "placement"),
    [
        (Profile.MINIMAL, 1, None),
        (Profile.DEFAULT, 2, "preferredDuringSchedulingIgnoredDuringExecution"),
        (Profile.HA, 3, "requiredDuringSchedulingIgnoredDuringExecution"),
    ],
)
def test_a_profile_says_how_many_there_are_and_how_apart(
    profile: Profile, replicas: int, placement: str | None
) -> None:
    found = made(Options(profile=profile))
    assert len(of_kind(found, "PodDisruptionBudget")) == (0 if placement is None else 2)
    for each in of_kind(found, "Deployment"):
        assert each["spec"]["replicas"] == replicas
        affinity = each["spec"]["template"]["spec"].get("affinity")
        assert affinity is None if placement is None else [*affinity["podAntiAffinity"]] == [placement]


def test_under_cert_manager_the_webhook_reads_the_secret_that_the_certificate_fills() -> None:
    found = made(Options(revision="canary", trust=Trust.CERT_MANAGER))
    secrets = {each["metadata"]["name"]: each["spec"]["secretName"] for each in of_kind(found, "Certificate")}
    (webhook,) = [each for each in of_kind(found, "Deployment") if each["metadata"]["name"] == "proa-webhook-canary"]
    assert webhook["spec"]["template"]["spec"]["volumes"] == [
        {"name": "serving", "secret": {"secretName": secrets["proa-webhook-canary"]}}
    ]
    (registered,) = of_kind(found, "MutatingWebhookConfiguration")
    assert registered["metadata"]["annotations"] == {
        "cert-manager.io/inject-ca-from": "proa-system/proa-webhook-canary"
    }


def test_under_cert_manager_the_secrets_that_it_makes_are_known_and_no_root_has_too_long_a_name() -> None:
    chosen = Options(revision="x" * 50, trust=Trust.CERT_MANAGER)
    certificates = of_kind(objects(chosen), "Certificate")
    assert [each["spec"]["secretName"] for each in certificates] == [
        reference(each)[2] for each in secrets(objects(chosen))
    ]
    assert {reference(each)[:2] for each in secrets(objects(chosen))} == {("Secret", names.SYSTEM_NAMESPACE)}
    # RFC 5280, ub-common-name.
    assert all(len(each["spec"].get("commonName", "")) <= 64 for each in certificates)
    assert secrets(objects(Options())) == ()


def test_everything_that_is_wrong_with_options_is_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        Options(revision="Canary", image="no image", replicas=0, mesh={"peerTls": "maybe", "colour": "red"})
    assert [problem.field for problem in refused.value.problems] == [
        "revision",
        "image",
        "replicas",
        "mesh.colour",
        "mesh.peerTls",
    ]


@given(st.sampled_from(["default", "-a", "a-", "A", "a.b", "x" * 51]))
def test_a_revision_that_could_not_be_a_services_name_or_means_the_default_one_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="revision"):
        Options(revision=name)


def test_notes_are_no_part_of_an_object() -> None:
    assert len(described(Options())) == len(objects(Options()))
    assert "Noted" not in repr(objects(Options(pod_security=PodSecurity.BASELINE, profile=Profile.HA)))
