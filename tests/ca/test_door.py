"""The door keeps answering: through outages, beside another replica, with and without a leader; each request once."""

import asyncio
from base64 import b64encode
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateSigningRequestBuilder, Name, load_pem_x509_certificates

from ca.csr import stub_request
from ca.door import AT_ONCE
from kube.client import Client, connected
from kube.resources import POD_CERTIFICATE_REQUESTS
from support.door import REQUESTS, Requests, asked, proof, running, until


async def test_a_request_is_answered_with_a_chain_for_its_key(
    api_server: Requests, client: Client, all_answered: Any
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    await asked(api_server, "web-1", stub_request(key))
    async with running(client) as replica:
        await all_answered("web-1")
        assert replica.door.unready == replica.material.unready == ""
    answer = api_server.answer_to("web-1")
    leaf, _ = load_pem_x509_certificates(answer["certificateChain"].encode())
    assert leaf.public_key() == key.public_key()
    assert [each["type"] for each in answer["conditions"]] == ["Issued"]


async def test_a_key_that_v1_does_not_show_is_read_from_v1beta1(
    api_server: Requests, client: Client, all_answered: Any
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    shown = proof(key, "uid-of-web-1")
    api_server.hidden = {
        "pkixPublicKey": b64encode(shown.key).decode(),
        "proofOfPossession": b64encode(shown.signature).decode(),
    }
    await asked(api_server, "web-1", b"")
    async with running(client):
        await all_answered("web-1")
    leaf, _ = load_pem_x509_certificates(api_server.answer_to("web-1")["certificateChain"].encode())
    assert leaf.public_key() == key.public_key()


async def test_an_api_server_that_serves_v1beta1_alone_has_its_requests_answered_in_it(
    api_server: Requests, client: Client, all_answered: Any
) -> None:
    """As 1.35, whose kubelets send the older members, and 1.36, where those are null."""
    api_server.versions["podcertificaterequests"] = ("v1beta1",)
    key = ec.generate_private_key(ec.SECP256R1())
    await asked(api_server, "web-1", b"", older=proof(key, "uid-of-web-1"))
    async with running(client):
        await all_answered("web-1")
        await asked(api_server, "web-2", older=None)
        await all_answered("web-2")
    leaf, _ = load_pem_x509_certificates(api_server.answer_to("web-1")["certificateChain"].encode())
    assert leaf.public_key() == key.public_key()


@pytest.mark.parametrize(("before", "after"), [(("v1beta1",), ("v1",)), (("v1",), ("v1beta1",)), ((), ("v1",))])
async def test_an_api_server_that_becomes_another_version_is_followed(
    api_server: Requests, client: Client, all_answered: Any, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    api_server.versions["podcertificaterequests"] = before
    async with running(client) as replica:
        await until(lambda: replica.material.authority and not replica.door.unready)
        if before:
            await asked(api_server, "web-1")
            await all_answered("web-1")
        api_server.versions["podcertificaterequests"] = after
        await asked(api_server, "web-2")
        await api_server.send_away()
        await all_answered("web-2")


async def test_a_key_that_is_not_certified_is_denied(api_server: Requests, client: Client, all_answered: Any) -> None:
    builder = CertificateSigningRequestBuilder().subject_name(Name([]))
    csr = builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.DER)
    await asked(api_server, "web-1", csr)
    async with running(client):
        await all_answered("web-1")
    (condition,) = api_server.answer_to("web-1")["conditions"]
    assert (condition["type"], condition["reason"]) == ("Denied", "UnsupportedKeyType")


async def test_an_outage_denies_nobody_and_everybody_is_answered_after_it(
    api_server: Requests, client: Client, all_answered: Any
) -> None:
    async with running(client) as replica:
        await until(lambda: replica.material.authority and not replica.door.unready)
        await asked(api_server, "web-1")
        await all_answered("web-1")
        api_server.refusing = (503, "ServiceUnavailable", {})
        names = [f"web-{number}" for number in range(2, 8)]
        for name in names:
            await asked(api_server, name)
        await until(lambda: replica.count("error", "api_refused") >= len(names))
        assert not any(map(api_server.answer_to, names))
        api_server.refusing = None
        await all_answered(*names)
    types = {each["type"] for name in names for each in api_server.answer_to(name)["conditions"]}
    assert types == {"Issued"}


async def test_of_two_replicas_one_answers_each_request_and_the_other_does_not_mind(
    api_server: Requests, client: Client, tmp_path: Path, all_answered: Any
) -> None:
    names = [f"web-{number}" for number in range(20)]
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(connected(api_server.kubeconfig(tmp_path)))
        replicas = [await stack.enter_async_context(running(each)) for each in (client, other)]
        await until(lambda: all(each.material.authority and not each.door.unready for each in replicas))
        await asyncio.gather(*(asked(api_server, name) for name in names))
        await all_answered(*names)
        # A loser may still be on its way to learn that it lost.
        await until(lambda: sum(each.count("issued", "Signed") for each in replicas) == len(names))
    assert sum(each.count("error", "api_refused") for each in replicas) == 0
    assert {each.material.current.roots for each in replicas if each.material.current} == {
        replicas[0].material.current.roots if replicas[0].material.current else ()
    }


async def test_who_does_not_lead_leaves_a_request_to_the_leader_until_it_leads(
    api_server: Requests, client: Client, all_answered: Any
) -> None:
    async with running(client, patience=3600.0) as replica:
        await until(lambda: replica.material.authority and not replica.door.unready)
        await asked(api_server, "web-1")
        waiting = {"proa_ca_pending_requests": 1.0}
        await until(lambda: all(replica.metrics.registry.get_sample_value(name) == n for name, n in waiting.items()))
        assert api_server.answer_to("web-1") is None
        stopping = asyncio.Event()
        leading = asyncio.create_task(replica.door.lead(stopping))
        await all_answered("web-1")
        await asked(api_server, "web-2")
        await all_answered("web-2")
        stopping.set()
        await leading


async def test_without_a_configuration_requests_wait_and_readiness_says_why(
    api_server: Requests, client: Client, all_answered: Any
) -> None:
    await api_server.remove("/api/v1/namespaces/proa-system/configmaps/proa")
    await asked(api_server, "web-1")
    async with running(client) as replica:
        await until(lambda: replica.count("later", "NoConfiguration"))
        await until(lambda: "made once the configuration is known" in replica.material.unready)
        await api_server.put("/api/v1/namespaces/proa-system/configmaps/proa", data={"mesh.yaml": "{}"})
        await all_answered("web-1")


async def test_a_pod_that_came_anew_under_its_name_leaves_the_old_request_unanswered(
    api_server: Requests, client: Client
) -> None:
    await asked(api_server, "web-1")
    pod = "/api/v1/namespaces/shop/pods/web-1"
    await api_server.put(pod, metadata={"uid": "another"}, spec={"serviceAccountName": "web", "nodeName": "node"})
    async with running(client) as replica:
        await until(lambda: replica.count("later", "PodGone"))
        assert api_server.answer_to("web-1") is None


async def test_what_an_admin_spoils_is_told_and_the_former_issuer_goes_on(
    api_server: Requests, client: Client, all_answered: Any
) -> None:
    async with running(client) as replica:
        await until(lambda: replica.material.authority)
        issuer = replica.material.current
        await api_server.put("/api/v1/namespaces/proa-system/secrets/proa-ca", data={"tls.key": "eA=="})
        await until(lambda: "still issuing with" in replica.material.problem)
        assert replica.metrics.registry.get_sample_value("proa_ca_material_valid") == 0
        assert replica.material.current is issuer
        assert replica.material.unready == ""
        await asked(api_server, "web-1")
        await all_answered("web-1")
        await until(lambda: any("POST /apis/events.k8s.io/v1/" in each for each in api_server.requests))


async def test_pods_that_start_are_answered_before_those_that_renew(api_server: Requests, client: Client) -> None:
    issued, many = {"conditions": [{"type": "Issued", "status": "True", "reason": "Signed"}]}, range(40)
    async with running(client) as replica:
        await until(lambda: replica.material.authority and not replica.door.unready)
        api_server.withholding = "pods"
        for number in many:
            await asked(api_server, f"b-{number}")
            spec: Any = (await client.get(POD_CERTIFICATE_REQUESTS, f"b-{number}", "shop"))["spec"]
            await api_server.put(f"{REQUESTS}/a-{number}", spec=spec, status=issued)
            await asked(api_server, f"c-{number}")
        tried = 4 * len(many)
        # One that is under way would be refused after all others were hastened, and come in its own time.
        under_way = replica.door._under_way  # noqa: SLF001
        await until(lambda: replica.count("error", "api_refused") >= tried and not under_way)
        api_server.withholding = "nothing"
        replica.door.hasten()
        await until(lambda: all(api_server.answer_to(f"{kind}-{number}") for kind in "bc" for number in many))
    found: list[Any] = list(await client.list(POD_CERTIFICATE_REQUESTS, "shop"))
    found.sort(key=lambda each: int(each["metadata"]["resourceVersion"]))
    answers = [each["metadata"]["name"][0] for each in found if "certificateChain" in each["status"]]
    # What is under way at the same time may overtake one another.
    assert answers[: len(many)].count("c") >= len(many) - AT_ONCE
    assert "c" not in answers[len(many) + AT_ONCE :]
