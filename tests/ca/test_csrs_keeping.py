"""Approved CertificateSigningRequests are answered once, through outages and lost answers, while the door is open."""

from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from kube.client import Client
from support.door import until
from support.signing_requests import APPROVED, CONFIGURATION, OPEN, Cluster, answering, csr


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    server = Cluster()
    await server.start()
    await server.populate()
    yield server
    await server.stop()


def chain(cluster: Cluster, name: str) -> Any:
    return x509.load_pem_x509_certificates(b64decode(cluster.status_of(name)["certificate"]))


def signed(cluster: Cluster, name: str) -> bool:
    return "certificate" in cluster.status_of(name)


async def test_it_gets_a_chain_for_its_key_and_its_pods_name_once_it_is_approved(
    cluster: Cluster, cluster_client: Client
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    await cluster.ask("mine", conditions=[], request=csr(key))
    await cluster.ask("another")
    with capture_logs() as logs:
        async with answering(cluster_client) as replica:
            await until(lambda: signed(cluster, "another"))
            assert not signed(cluster, "mine")
            await cluster.ask("mine", request=csr(key))
            await until(lambda: signed(cluster, "mine"))
            await until(lambda: replica.count("issued", "Signed") == 2)
    leaf, *above = chain(cluster, "mine")
    assert leaf.public_key() == key.public_key()
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://cluster.local/ns/shop/sa/web"]
    assert len(above) == 1
    assert f"{leaf.serial_number:x}" in {each.get("serial") for each in logs if each["event"] == "issued"}
    assert cluster.status_of("mine")["conditions"] == APPROVED, "the approver's word stays"


async def test_what_can_never_be_signed_is_failed_with_the_reason_and_the_others_are_signed(
    cluster: Cluster, cluster_client: Client
) -> None:
    await cluster.ask("by-a-user", username="jane")
    await cluster.ask("of-a-pod-that-is-gone", extra={
        "authentication.kubernetes.io/pod-name": ["gone"], "authentication.kubernetes.io/pod-uid": ["uid-of-gone"],
    })  # fmt: skip
    await cluster.ask("good")
    async with answering(cluster_client):
        await until(lambda: signed(cluster, "good") and cluster.failure("by-a-user"))
        await until(lambda: cluster.failure("of-a-pod-that-is-gone"))
    assert cluster.failure("by-a-user") == "RequesterNotAPod"
    assert cluster.failure("of-a-pod-that-is-gone") == "PodGone"
    assert not signed(cluster, "by-a-user")


async def test_an_outage_fails_nobody_and_everybody_is_answered_after_it(
    cluster: Cluster, cluster_client: Client
) -> None:
    async with answering(cluster_client) as replica:
        await until(lambda: replica.material.authority)
        cluster.withholding = "pods"
        await cluster.ask("mine")
        await until(lambda: replica.count("error", "api_refused"))
        assert cluster.status_of("mine") == {"conditions": APPROVED}
        cluster.withholding = "nothing"
        await until(lambda: signed(cluster, "mine"))


async def test_an_answer_that_is_lost_on_the_way_is_given_once_and_stands_in_the_audit_log(
    cluster: Cluster, cluster_client: Client
) -> None:
    cluster.losing_answers = True
    with capture_logs() as logs:
        async with answering(cluster_client) as replica:
            await cluster.ask("mine")
            await until(lambda: any(each["event"] == "unconfirmed" for each in logs))
            cluster.losing_answers = False
            await cluster.ask("next")
            await until(lambda: replica.count("issued", "Signed"))
    assert cluster.answers == 2
    serials = {each["serial"] for each in logs if each["event"] == "unconfirmed"}
    assert f"{chain(cluster, 'mine')[0].serial_number:x}" in serials


async def test_two_replicas_that_both_think_they_lead_answer_once(cluster: Cluster, cluster_client: Client) -> None:
    async with answering(cluster_client), answering(cluster_client):
        for number in range(8):
            await cluster.ask(f"asked-{number}")
        await until(lambda: all(signed(cluster, f"asked-{number}") for number in range(8)))
    assert cluster.answers == 8


async def test_nobody_answers_unless_the_configuration_wants_it(cluster: Cluster, cluster_client: Client) -> None:
    await cluster.put(CONFIGURATION, data={"mesh.yaml": "{}"})
    await cluster.ask("mine")
    async with answering(cluster_client) as replica:
        await until(lambda: replica.material.authority)
        assert not [each for each in cluster.requests if "certificatesigningrequests" in each]
        await cluster.put(CONFIGURATION, data={"mesh.yaml": OPEN})
        await until(lambda: signed(cluster, "mine"))
