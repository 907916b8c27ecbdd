"""A cluster that is not fit: `proa check` and `proa install` name what is wrong and the remedy, and change nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.__main__ import main
from installation.objects import objects
from installation.options import Options
from kube.calls import Call
from proa import names
from support.api_server import kubeconfig
from support.store import NODE, Store, served

ISTIO = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "istio-sidecar-injector"},
    "webhooks": [
        {
            "name": "namespace.sidecar-injector.istio.io",
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "namespaceSelector": {"matchLabels": {"istio-injection": "enabled"}},
        }
    ],
}


@pytest.fixture
def store() -> Store:
    store = Store()
    store.put(NODE)
    return store


@pytest.fixture
def proa(store: Store, tmp_path: Path) -> Iterator[Callable[..., Result]]:
    with served(store) as url:
        file = tmp_path / "kubeconfig"
        file.write_text(kubeconfig(url), encoding="utf-8")
        yield lambda *arguments: CliRunner().invoke(main, [*arguments, "--kubeconfig", str(file)])


def too_old(store: Store) -> None:
    store.version = "v1.36.4"


def forbidden(store: Store) -> None:
    store.denied = lambda verb, kind: (verb, kind) == ("create", "clusterroles")


def dry(call: Call) -> bool:
    return ("dryRun", "All") in call.query


def collision(store: Store) -> None:
    labels = {names.INJECT: "enabled", "istio-injection": "enabled"}
    store.put(ISTIO, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})


@pytest.mark.parametrize("command", ["check", "install"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (too_old, ["(kubernetes_too_old)", "the API server is v1.36.4", "→ upgrade the control plane"]),
        (forbidden, ["(permission_missing)", "you may not create clusterroles", "→ use a context whose user is"]),
        (collision, ["(other_mesh_collides)", "namespace shop is opted in to Istio, too", "→ opt the namespace out"]),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy_and_nothing_is_changed(
    proa: Any, store: Store, command: str, fault: Callable[[Store], None], words: list[str]
) -> None:
    fault(store)
    result = proa(command)
    assert result.exit_code == 1, result.output
    assert [each for each in words if each not in result.stdout] == []
    assert store.changes == []


def test_a_fit_cluster_is_called_fit_and_installed_in(proa: Any) -> None:
    assert "Proa can be installed." in proa("check").stdout
    result = proa("install", "--timeout", "0")
    assert result.exit_code == 0, result.output
    count = len(objects(Options()))
    assert f"{count} of {count} objects changed. proa check says when Proa is ready." in result.stdout
    # Progress is no part of the result, and comes once for each thing that is done.
    told = result.stderr.splitlines()
    assert told[0] == "looking at the cluster"
    assert len([line for line in told if line.startswith("applied ")]) == count


def test_what_is_not_ready_in_time_is_named_and_stays(proa: Any, store: Store) -> None:
    result = proa("install", "--timeout", "1")
    assert result.exit_code == 1, result.output
    assert "Not ready in time. Still waiting for:\n  proa-ca: 0 of 2 pods ready" in result.stdout
    assert "What was applied stays." in result.stdout
    assert store.changes


def test_an_installation_that_ends_half_way_says_how_to_go_on(proa: Any, store: Store) -> None:
    store.refused = lambda call: (
        403 if call.method == "PATCH" and "/services/" in call.path and not call.query[2:] else 0
    )
    result = proa("install")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Service proa-system/proa-webhook: Forbidden" in result.stderr
    assert "changes were made before this one, and stay" in result.stderr
    assert "→ mend what the message names, and run the same command again" in result.stderr


def test_a_removal_without_the_permission_begins_nothing(proa: Any, store: Store) -> None:
    store.put(*objects(Options()))
    store.denied = lambda verb, kind: (verb, kind) == ("delete", "namespaces")
    result = proa("uninstall")
    assert result.exit_code == 1, result.output
    assert "you may not delete namespaces" in result.stdout
    assert "Nothing was changed: use a context whose user is cluster-admin" in result.stdout
    assert store.changes == []


def test_nothing_to_remove_is_said_of_what_was_asked_for(proa: Any) -> None:
    assert "Nothing of Proa is installed." in proa("uninstall").stdout
    assert "Nothing of revision 'blue' is installed." in proa("uninstall", "--revision", "blue").stdout


def test_the_status_of_a_namespace_that_is_not_there_cannot_be_said(proa: Any, store: Store) -> None:
    result = proa("status", "--namespace", "shpo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "→ see that the name, -n and --context are what you mean" in result.stderr
    store.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    assert "Namespace shop is not opted in: kubectl label namespace shop" in proa("status", "-n", "shop").stdout
