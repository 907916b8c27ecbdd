"""A certificate only for who is who they say; a denial only for what can never be right; patience for all else."""

from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateSigningRequestBuilder, Name
from hypothesis import given
from hypothesis import strategies as st

from ca.csr import Proof, checked_public_key, stub_request
from ca.profile import LONGEST_LEAF, ServingLeaf, WorkloadLeaf
from ca.randomness import new_key
from ca.request import Answered, Pending, Pod, Unreadable, account_uid, certificate_request, pod
from ca.verdict import Deny, Later, Sign, verdict
from proa.identity import TrustDomain
from proa.mesh import Certificate, MeshConfiguration
from support.door import proof

MESH = MeshConfiguration()
POD = Pod(uid="pod-uid", account="web", node="node-1", phase="Pending")
REQUEST = Pending(
    namespace="shop",
    name="req-1",
    uid="request-uid",
    signer="proa.dev/workload",
    pod="web-1",
    pod_uid="pod-uid",
    account="web",
    account_uid="account-uid",
    node="node-1",
    longest=timedelta(days=1),
    csr=stub_request(new_key()),
)
RSA = rsa.generate_private_key(65537, 3072)
WEBHOOK = replace(
    REQUEST, namespace="proa-system", signer="proa.dev/serving", account="proa-webhook", pod="proa-webhook-1"
)


def shown_of_old(csr: Proof) -> Any:
    """The same of a kubelet older than 1.36, as v1beta1 shows it."""
    found = shown(b"")
    del found["spec"]["stubPKCS10Request"]
    pair = {"pkixPublicKey": csr.key, "proofOfPossession": csr.signature}
    return {**found, "spec": {**found["spec"], **{name: b64encode(each).decode() for name, each in pair.items()}}}


def shown(csr: bytes, conditions: Any = None) -> Any:
    """A request as a 1.37 API server shows it."""
    spec = {
        "signerName": "proa.dev/workload",
        "podName": "web-1",
        "podUID": "pod-uid",
        "serviceAccountName": "web",
        "serviceAccountUID": "account-uid",
        "nodeName": "node-1",
        "nodeUID": "node-uid",
        "maxExpirationSeconds": 86400,
        "stubPKCS10Request": b64encode(csr).decode(),
    }
    metadata = {"name": "req-1", "namespace": "shop", "uid": "request-uid", "resourceVersion": "7"}
    status = {"conditions": conditions} if conditions else {}
    return {"kind": "PodCertificateRequest", "metadata": metadata, "spec": spec, "status": status}


def test_a_request_is_read_as_the_api_server_shows_it() -> None:
    assert certificate_request(shown(REQUEST.csr)) == REQUEST


@pytest.mark.parametrize("kind", ["Issued", "Denied", "Failed"])
def test_a_request_with_a_final_condition_is_answered(kind: str) -> None:
    assert certificate_request(shown(REQUEST.csr, [{"type": kind, "status": "True"}])) == Answered(
        REQUEST.pod_uid if kind == "Issued" else ""
    )


def test_a_request_of_an_old_kubelet_is_read_without_its_key() -> None:
    old = shown(b"")
    del old["spec"]["stubPKCS10Request"]
    assert certificate_request(old) == replace(REQUEST, csr=b"")


def test_what_is_no_request_is_said_with_its_field() -> None:
    read = certificate_request({"metadata": {"name": "a", "uid": "b"}, "spec": {"signerName": "x", "podName": "y"}})
    assert isinstance(read, Unreadable)
    assert "missing required field `podUID`" in read.problem


def test_pods_and_accounts_are_read_as_the_api_server_shows_them() -> None:
    shown_pod: Any = {
        "metadata": {"uid": "pod-uid", "name": "web-1"},
        "spec": {"serviceAccountName": "web", "nodeName": "node-1", "containers": []},
        "status": {"phase": "Pending"},
    }
    assert pod(shown_pod) == POD
    assert account_uid({"metadata": {"uid": "account-uid", "name": "web"}}) == "account-uid"


def test_a_pod_that_is_who_it_says_gets_its_service_accounts_identity() -> None:
    decided = verdict(REQUEST, POD, "account-uid", MESH)
    assert isinstance(decided, Sign)
    assert isinstance(decided.contents, WorkloadLeaf)
    assert decided.public_key == checked_public_key(REQUEST.csr)
    assert decided.contents.identity.uri == "spiffe://cluster.local/ns/shop/sa/web"
    assert decided.lifetime == timedelta(days=1)


def test_the_trust_domain_is_the_configurations() -> None:
    decided = verdict(REQUEST, POD, "account-uid", MeshConfiguration(trust_domain="prod.example"))
    assert isinstance(decided, Sign)
    assert str(decided.contents) == "spiffe://prod.example/ns/shop/sa/web"


@pytest.mark.parametrize(
    ("asked", "configured", "given"),
    [(86400, 3600, 3600), (3600, 86400, 3600), (7862400, 86400, 86400), (7862400, 7862400, 7862400)],
)
def test_a_certificate_lives_as_long_as_both_allow(asked: int, configured: int, given: int) -> None:
    mesh = MeshConfiguration(certificate=Certificate(lifetime_seconds=configured))
    decided = verdict(replace(REQUEST, longest=timedelta(seconds=asked)), POD, "account-uid", mesh)
    assert isinstance(decided, Sign)
    assert decided.lifetime == timedelta(seconds=given) <= LONGEST_LEAF


def empty_request(key: Any, algorithm: Any) -> bytes:
    return CertificateSigningRequestBuilder().subject_name(Name([])).sign(key, algorithm).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("csr", "found"),
    [
        (empty_request(ed25519.Ed25519PrivateKey.generate(), None), "Ed25519"),
        (empty_request(ec.generate_private_key(ec.SECP521R1()), SHA256()), "ECDSA secp521r1"),
        (empty_request(rsa.generate_private_key(65537, 1024), SHA256()), "RSA of 1024 bits"),  # noqa: S505
    ],
)
def test_a_key_that_no_sidecar_could_use_is_denied_by_kubernetes_own_word(csr: bytes, found: str) -> None:
    decided = verdict(replace(REQUEST, csr=csr), POD, "account-uid", MESH)
    assert isinstance(decided, Deny)
    assert decided.reason == "UnsupportedKeyType"
    assert found in decided.message


def test_a_request_that_its_key_did_not_sign_is_denied() -> None:
    forged = bytearray(REQUEST.csr)
    forged[-1] ^= 1
    assert verdict(replace(REQUEST, csr=bytes(forged)), POD, "account-uid", MESH) == Deny(
        "RequestRejected",
        "signature: found one that does not verify, allowed: a signature made by the key in the request",
    )


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (replace(POD, account="admin"), "ServiceAccountMismatch"),
        (replace(POD, node="node-2"), "NodeMismatch"),
    ],
)
def test_a_pod_that_contradicts_the_request_is_denied(found: Pod, reason: str) -> None:
    decided = verdict(REQUEST, found, "account-uid", MESH)
    assert isinstance(decided, Deny)
    assert decided.reason == reason


@pytest.mark.parametrize(
    ("found", "account", "mesh", "reason"),
    [
        (None, "account-uid", MESH, "PodGone"),
        (replace(POD, uid="another"), "account-uid", MESH, "PodGone"),
        (replace(POD, node=""), "account-uid", MESH, "PodNotScheduled"),
        (replace(POD, phase="Succeeded"), "account-uid", MESH, "PodFinished"),
        (replace(POD, phase="Failed"), "account-uid", MESH, "PodFinished"),
        (POD, None, MESH, "ServiceAccountGone"),
        (POD, "another", MESH, "ServiceAccountReplaced"),
        (POD, "account-uid", None, "NoConfiguration"),
    ],
)
def test_what_may_come_right_is_never_denied(
    found: Pod | None, account: str | None, mesh: MeshConfiguration | None, reason: str
) -> None:
    assert verdict(REQUEST, found, account, mesh) == Later(reason)


def test_a_request_whose_key_this_version_of_the_api_hides_waits() -> None:
    """As a 1.37 API server shows an old kubelet's by v1."""
    found = shown(b"")
    hidden = certificate_request({**found, "spec": {**found["spec"], "stubPKCS10Request": None}})
    assert isinstance(hidden, Pending)
    assert verdict(hidden, POD, "account-uid", MESH) == Later("KeyNotShown")


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1()), RSA],
    ids=["P-256", "P-384", "RSA"],
)
def test_a_kubelet_older_than_1_36_has_its_key_certified_by_its_signature_of_the_pods_uid(key: Any) -> None:
    request = certificate_request(shown_of_old(proof(key, "pod-uid")))
    assert isinstance(request, Pending)
    found = verdict(request, POD, "account-uid", MESH)
    assert isinstance(found, Sign)
    assert found.public_key == key.public_key()


def test_a_signature_of_another_pods_uid_proves_nothing() -> None:
    request = replace(REQUEST, csr=proof(new_key(), "another"))
    found = verdict(request, POD, "account-uid", MESH)
    assert isinstance(found, Deny)
    assert (found.reason, "the pod's UID" in found.message) == ("RequestRejected", True)


@pytest.mark.parametrize("key", [b"", b"none", b"0" * 20_000], ids=["nothing", "no key", "too long"])
def test_what_is_no_key_is_denied_and_not_shown(key: bytes) -> None:
    found = verdict(replace(REQUEST, csr=Proof(key, b"")), POD, "account-uid", MESH)
    assert isinstance(found, Deny)
    assert found.reason == "UnsupportedKeyType"


def test_a_key_of_an_old_kubelet_that_no_sidecar_verifies_is_denied() -> None:
    found = verdict(replace(REQUEST, csr=proof(ec.generate_private_key(ec.SECP521R1()), "pod-uid")), POD, "u", MESH)
    assert isinstance(found, Deny)
    assert found.reason == "UnsupportedKeyType"


def test_another_signers_request_is_left_alone() -> None:
    assert verdict(replace(REQUEST, signer="example.com/x"), POD, "account-uid", MESH) == Later("NotOurs")


@pytest.mark.parametrize("account", ["proa-webhook", "proa-webhook-canary", "proa-webhook-1-2", "proa-discovery"])
def test_a_server_of_ours_gets_its_services_names(account: str) -> None:
    decided = verdict(replace(WEBHOOK, account=account), replace(POD, account=account), "account-uid", MESH)
    assert isinstance(decided, Sign)
    names = (f"{account}.proa-system.svc", f"{account}.proa-system.svc.cluster.local")
    assert decided.contents == ServingLeaf(names)


@pytest.mark.parametrize(
    ("namespace", "account"),
    [
        ("shop", "proa-webhook"),
        ("proa-system", "proa-ca"),
        ("proa-system", "default"),
        ("proa-system", "proa-webhookish"),
        ("proa-system", "proa-webhook-"),
        ("proa-system", "proa-webhook-a.b"),
        ("proa-system", "proa-webhook\n"),
        ("proa-system", "proa-discovery-2"),
        ("proa-system", f"proa-webhook-{'a' * 60}"),
    ],
)
def test_nobody_else_gets_a_servers_certificate(namespace: str, account: str) -> None:
    request = replace(WEBHOOK, namespace=namespace, account=account)
    decided = verdict(request, replace(POD, account=account), "account-uid", MESH)
    assert isinstance(decided, Deny)
    assert decided.reason == "NotAServer"


words = st.sampled_from(["web", "admin", "pod-uid", "account-uid", "node-1", "node-2", "", "proa-webhook"])
pods = st.none() | st.builds(Pod, words, words, words, st.sampled_from(["Pending", "Running", "Failed"]))


@given(pods, st.none() | words, st.sampled_from([REQUEST, WEBHOOK]), words, st.sampled_from([None, MESH]))
def test_a_certificate_is_signed_only_where_pod_account_and_node_agree(
    found: Pod | None, account: str | None, request: Pending, name: str, mesh: MeshConfiguration | None
) -> None:
    request = replace(request, account=name)
    decided = verdict(request, found, account, mesh)
    if isinstance(decided, Sign):
        assert found is not None
        assert (found.uid, found.account, found.node) == (request.pod_uid, request.account, request.node)
        assert account == request.account_uid
        assert found.phase in {"Pending", "Running"}
        if isinstance(decided.contents, WorkloadLeaf):
            identity = decided.contents.identity
            assert identity.trust_domain == TrustDomain("cluster.local")
            assert (identity.namespace, identity.service_account) == (request.namespace, request.account)
