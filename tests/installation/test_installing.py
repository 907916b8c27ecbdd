"""What `proa install` and `proa upgrade` do where something is wrong: before anything is changed, or half-way."""

from dataclasses import replace
from typing import Any

import pytest

from installation.apply import Interrupted
from installation.changes import title
from installation.installing import Asked, Planned, Planning, Refused, Started, run
from installation.objects import objects
from installation.options import Options, Profile
from installation.planning import Given, installing, upgrading
from kube.calls import Call
from kube.client import Client
from kube.failures import Forbidden
from proa import names
from proa.errors import Refused as Unusable
from support.store import NODE, Store
from webhook.registration import Trust

ASKED = Asked("", Given(), frozenset(), dry_run=False, force=False, seconds=0)


@pytest.fixture
def store() -> Store:
    """A cluster that is fit for Proa."""
    store = Store()
    store.put(NODE)
    return store


async def done(store: Store, asked: Asked = ASKED, planning: Planning = installing) -> Any:
    return await run(Client(store), planning, asked, lambda _: None)


def codes(outcome: Any) -> list[str]:
    assert isinstance(outcome, Refused)
    return [row.code for row in outcome.rows]


async def test_a_first_installation_applies_every_object_in_its_order(store: Store) -> None:
    assert isinstance(await done(store), Started)
    kinds = [each.rsplit("/", 2)[-2] for each in store.changes]
    assert len(kinds) == len(objects(Options()))
    assert (kinds[0], kinds[-1]) == ("namespaces", "mutatingwebhookconfigurations")


async def test_what_is_as_it_should_be_is_not_applied_again(store: Store) -> None:
    store.put(*objects(Options()))
    await done(store)
    assert store.changes == []


async def test_a_dry_run_changes_nothing(store: Store) -> None:
    outcome = await done(store, replace(ASKED, dry_run=True))
    assert isinstance(outcome, Planned)
    assert [str(each.title) for each in outcome.steps] == [str(title(each)) for each in objects(Options())]
    assert store.changes == []


@pytest.mark.parametrize("version", ["v1.36.4", "v1.20.0"])
async def test_a_cluster_that_is_too_old_is_named_whatever_else_it_does_not_know(store: Store, version: str) -> None:
    store.version = version
    store.refused = lambda call: 404 if "certificates.k8s.io" in call.path or "policies" in call.path else 0
    assert codes(await done(store)) == ["kubernetes_too_old", "api_not_served"]
    assert store.changes == []


@pytest.mark.parametrize("planning", [installing, upgrading])
@pytest.mark.parametrize("verb", ["get", "list", "create", "patch", "delete"])
async def test_one_missing_permission_is_named_before_anything_is_looked_for(
    store: Store, planning: Planning, verb: str
) -> None:
    store.denied = lambda asked, kind: (asked, kind) == (verb, "deployments")
    store.refused = lambda call: 403 if "deployments" in call.path else 0
    outcome = await done(store, planning=planning)
    assert codes(outcome) == ["permission_missing"]
    assert f"you may not {verb} deployments.apps in namespace proa-system" in str(outcome.rows[0].outcome)
    assert store.changes == []


async def test_cert_manager_is_asked_for_where_it_is_to_issue_and_nowhere_else(store: Store) -> None:
    store.refused = lambda call: 404 if "cert-manager.io" in call.path else 0
    issuing = replace(ASKED, given=Given(trust=Trust.CERT_MANAGER))
    assert codes(await done(store, issuing)) == ["cert_manager_missing"]
    assert store.changes == []
    assert isinstance(await done(store), Started)


async def test_a_check_that_is_ignored_keeps_nobody_out(store: Store) -> None:
    store.version = "v1.36.0"
    assert codes(await done(store)) == ["kubernetes_too_old"]
    assert isinstance(await done(store, replace(ASKED, ignored=frozenset({"kubernetes_too_old"}))), Started)


async def test_a_revision_that_cannot_be_one_is_refused_before_the_cluster_is_asked(store: Store) -> None:
    store.refused = lambda _: 503
    with pytest.raises(Unusable, match="revision"):
        await done(store, replace(ASKED, revision="Canary"))


def deployments_refused(call: Call) -> int:
    """Not in a dry run: as where an object goes into a namespace that was not there to try it in."""
    return 403 if call.method == "PATCH" and "/deployments/" in call.path and ("dryRun", "All") not in call.query else 0


async def test_what_ends_an_installation_half_way_says_at_what_and_that_the_rest_stays(store: Store) -> None:
    store.refused = deployments_refused
    with pytest.raises(Interrupted) as interrupted:
        await done(store)
    assert str(interrupted.value.title) == f"Deployment {names.SYSTEM_NAMESPACE}/{names.AUTHORITY}"
    assert isinstance(interrupted.value.__cause__, Forbidden)
    assert interrupted.value.done == len(store.changes) > 0
    assert f"{len(store.changes)} changes were made before this one, and stay" in str(interrupted.value)
    assert not any("mutatingwebhookconfigurations" in each for each in store.changes)


async def test_an_installation_that_ended_half_way_is_completed_by_the_same_command(store: Store) -> None:
    store.refused = deployments_refused
    with pytest.raises(Interrupted):
        await done(store)
    store.refused, before = (lambda _: 0), len(store.changes)
    await done(store)
    assert before + len(store.changes[before:]) == len(objects(Options()))


async def test_an_upgrade_takes_away_what_a_smaller_profile_has_no_use_for(store: Store) -> None:
    store.put(*objects(Options()))
    await done(store, replace(ASKED, given=Given(profile=Profile.MINIMAL)), upgrading)
    removed = [each for each in store.changes if each.startswith("DELETE")]
    assert [each.rsplit("/", 2)[-2] for each in removed] == ["poddisruptionbudgets"] * 2
    assert store.changes[-2:] == removed


BY_NODE = {"interception": {"programmedBy": "node"}}


async def test_a_mesh_whose_nodes_program_pods_may_be_restricted_and_has_an_agent_in_a_namespace_of_its_own(
    store: Store,
) -> None:
    strict = {names.INJECT: "enabled", "pod-security.kubernetes.io/enforce": "restricted"}
    store.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": strict}})
    assert codes(await done(store)) == ["pod_security_forbids_injection"]
    assert isinstance(await done(store, replace(ASKED, given=Given(mesh=BY_NODE))), Started)
    assert kinds_in(store, names.NODE_NAMESPACE) == ["DaemonSet", "Role", "RoleBinding", "ServiceAccount"]
    # And with what is there by then.
    assert isinstance(await done(store, planning=upgrading), Started)
    assert kinds_in(store, names.NODE_NAMESPACE) == ["DaemonSet", "Role", "RoleBinding", "ServiceAccount"]


async def test_an_agent_goes_when_pods_program_themselves_again(store: Store) -> None:
    store.put(*objects(Options(mesh=BY_NODE)))
    await done(store, replace(ASKED, given=Given(mesh={})), upgrading)
    assert kinds_in(store, names.NODE_NAMESPACE) == []
    assert [each for each in store.changes if "proa-interception" in each]


def kinds_in(store: Store, namespace: str) -> list[str]:
    return sorted(each["kind"] for each in store.objects.values() if each["metadata"].get("namespace") == namespace)
