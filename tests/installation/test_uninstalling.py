"""What `proa uninstall` removes, in which order, and what it leaves to say."""

from dataclasses import replace
from typing import Any

import pytest

from installation.apply import Interrupted
from installation.objects import objects
from installation.options import Options, Scope
from installation.uninstalling import Asked, Needed, NotAllowed, Removed, run
from kube.client import Client
from kube.resources import CLUSTER_TRUST_BUNDLES
from proa import names
from support.store import Store

EVERYTHING = Asked(None, dry_run=False, force=False, seconds=0)
BUNDLE = {
    "apiVersion": CLUSTER_TRUST_BUNDLES.api_version,
    "kind": CLUSTER_TRUST_BUNDLES.kind,
    "metadata": {"name": "proa.dev:workload:v1"},
    "spec": {"signerName": names.SIGNER},
}


def carrying(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "annotations": {names.STATUS: "{}"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": {"phase": "Running"}}


def space(name: str, **labels: str) -> dict[str, Any]:
    found = {f"proa.dev/{key}": value for key, value in labels.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": found}}


@pytest.fixture
def store() -> Store:
    """Two revisions, and a pod in a namespace that the default one injects."""
    store = Store()
    store.put(*objects(Options()), *objects(Options(revision="blue", scope=Scope.REVISION)))
    store.put(BUNDLE, space("shop", inject="enabled"), carrying("web"))
    return store


async def done(store: Store, asked: Asked) -> Any:
    return await run(Client(store), asked, lambda _: None)


async def test_everything_goes_from_the_registrations_to_the_namespace(store: Store) -> None:
    outcome = await done(store, EVERYTHING)
    assert outcome.left == ()
    kinds = [each.rsplit("/", 2)[-2] for each in store.changes]
    assert kinds[:2] == ["mutatingwebhookconfigurations"] * 2
    assert kinds[2:5] == ["deployments"] * 3
    assert kinds.index("namespaces") > kinds.index("serviceaccounts")
    assert [each["kind"] for each in store.objects.values()] == ["Namespace", "Pod"]


async def test_what_still_carries_a_sidecar_and_what_keeps_its_labels_is_named(store: Store) -> None:
    outcome = await done(store, replace(EVERYTHING, dry_run=True))
    assert [str(each.owner) for each in outcome.carriers] == ["Pod shop/web"]
    assert outcome.labelled == ("shop",)
    assert store.changes == []


async def test_a_revision_goes_alone_and_nothing_is_said_of_pods_whose_certificates_are_renewed(store: Store) -> None:
    outcome = await done(store, replace(EVERYTHING, revision="blue"))
    assert isinstance(outcome, Removed)
    assert {each.name for each in outcome.titles} == {"proa-webhook-blue", "proa-blue"}
    assert (outcome.carriers, outcome.labelled) == ((), ())


async def test_a_revision_that_namespaces_ask_for_stays_unless_it_is_forced(store: Store) -> None:
    assert await done(store, replace(EVERYTHING, revision="")) == Needed(("shop",))
    assert store.changes == []
    assert isinstance(await done(store, replace(EVERYTHING, revision="", force=True)), Removed)


async def test_who_may_not_remove_everything_removes_nothing_and_is_told_what_is_missing(store: Store) -> None:
    store.denied = lambda verb, kind: (verb, kind) == ("delete", "clustertrustbundles")
    outcome = await done(store, EVERYTHING)
    assert outcome == NotAllowed(("you may not delete clustertrustbundles.certificates.k8s.io",))
    assert store.changes == []


async def test_what_ends_it_half_way_says_at_what(store: Store) -> None:
    store.refused = lambda call: 403 if call.method == "DELETE" and "/deployments/" in call.path else 0
    with pytest.raises(Interrupted, match="Deployment proa-system/proa-"):
        await done(store, EVERYTHING)


async def test_a_cluster_without_trust_bundles_can_be_cleared_all_the_same(store: Store) -> None:
    store.refused = lambda call: 404 if "clustertrustbundles" in call.path else 0
    assert isinstance(await done(store, EVERYTHING), Removed)


async def test_the_nodes_agent_goes_before_its_rights_and_its_namespace(store: Store) -> None:
    """It takes its plugin with it, and asks the API server whether it is to."""
    store.put(*objects(Options(mesh={"interception": {"programmedBy": "node"}})))
    assert (await done(store, EVERYTHING)).left == ()
    names_of = [each.rsplit("/", 2)[-2] for each in store.changes if each.endswith("/proa-node")]
    assert names_of[0] == "daemonsets"
    assert names_of[-1] == "namespaces"
    assert [each["kind"] for each in store.objects.values()] == ["Namespace", "Pod"]
