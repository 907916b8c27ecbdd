"""What `proa status` reads, of the whole cluster or of one namespace."""

import pytest

from installation.objects import objects
from installation.observing import observed
from installation.options import Options
from kube.client import Client
from kube.failures import NotFound
from support.store import Store


@pytest.fixture
def client() -> Client:
    store = Store()
    store.put(*objects(Options()))
    for name in ("shop", "cart"):
        metadata = {"name": name, "labels": {"proa.dev/inject": "enabled"}}
        store.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    return Client(store)


async def test_every_namespace_that_is_opted_in_is_shown_with_the_revision_that_answers(client: Client) -> None:
    found = await observed(client, None)
    assert [each.namespace for each in found.namespaces] == ["cart", "shop"]
    assert [(each.name, each.problem) for each in found.revisions] == [("", "")]
    assert found.sound


async def test_one_namespace_is_shown_alone(client: Client) -> None:
    assert [each.namespace for each in (await observed(client, "shop")).namespaces] == ["shop"]


async def test_a_namespace_that_is_not_there_is_no_namespace_without_faults(client: Client) -> None:
    with pytest.raises(NotFound):
        await observed(client, "shpo")
