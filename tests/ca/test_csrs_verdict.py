"""An approved CertificateSigningRequest is signed for the pod that asked and nobody else, or failed with the reason."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateSigningRequestBuilder, Name
from hypothesis import given
from hypothesis import strategies as st

from ca.csrs.request import Approved, Requester, Settled, Unreadable, failed, signing_request
from ca.csrs.verdict import verdict
from ca.profile import WorkloadLeaf
from ca.request import Pod
from ca.verdict import Deny, Sign
from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import Certificate, MeshConfiguration
from support.signing_requests import APPROVED, USAGES, csr, spec

KEY = ec.generate_private_key(ec.SECP256R1())
CSR = csr(KEY)
WEB = Pod("uid-of-web-1", "web", "node", "Running")
MESH = MeshConfiguration()
DAY = timedelta(days=1)


def shown(status: Any = None, **changed: Any) -> Any:
    metadata = {"name": "asked", "uid": "u", "resourceVersion": "7"}
    return {"metadata": metadata, "spec": spec(request=CSR, **changed), "status": status or {"conditions": APPROVED}}


def approved(**changed: Any) -> Approved:
    request = signing_request(shown(**changed))
    assert isinstance(request, Approved)
    return request


def test_it_is_signed_for_the_pods_account_whatever_the_request_says() -> None:
    decided = verdict(approved(), WEB, "uid-of-web", MESH)
    identity = WorkloadIdentity(TrustDomain("cluster.local"), "shop", "web")
    assert decided == Sign(KEY.public_key(), WorkloadLeaf(identity), DAY)


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"conditions": []},
        {"conditions": [{"type": "Approved", "status": "False"}]},
        {"conditions": [{"type": "Denied", "status": "True"}]},
        {"conditions": [*APPROVED, {"type": "Failed", "status": "True"}]},
        {"conditions": APPROVED, "certificate": b64encode(b"a chain").decode()},
    ],
)
def test_what_is_not_approved_or_has_its_answer_is_let_be(status: Any) -> None:
    request = shown()
    assert signing_request({**request, "status": status}) == Settled()


def test_what_cannot_be_read_is_said_so() -> None:
    assert isinstance(signing_request({"spec": 7}), Unreadable)
    assert isinstance(signing_request(None), Unreadable)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"username": "jane"}, "RequesterNotAPod"),
        ({"username": "system:node:one"}, "RequesterNotAPod"),
        ({"username": "system:serviceaccount:shop:web:more"}, "RequesterNotAPod"),
        ({"groups": ["system:authenticated"]}, "RequesterNotAPod"),
        ({"groups": ["system:serviceaccounts", "system:serviceaccounts:bank"]}, "RequesterNotAPod"),
        ({"extra": {}}, "RequesterNotAPod"),
        ({"extra": {"authentication.kubernetes.io/pod-name": ["web-1"]}}, "RequesterNotAPod"),
        (
            {"extra": {"authentication.kubernetes.io/pod-name": ["web-1", "db-1"],
                       "authentication.kubernetes.io/pod-uid": ["uid-of-web-1"]}},
            "RequesterNotAPod",
        ),
        ({"uid": "of-a-former-account"}, "ServiceAccountGone"),
        ({"username": "system:serviceaccount:shop:db"}, "ServiceAccountMismatch"),
        ({"usages": ["digital signature", "server auth"]}, "UsagesNotOurs"),
        ({"usages": [*USAGES, "cert sign"]}, "UsagesNotOurs"),
        ({"usages": []}, "UsagesNotOurs"),
        ({"expirationSeconds": 600}, "LifetimeTooShort"),
        ({"request": b64encode(b"rubbish").decode()}, "RequestRejected"),
    ],
)  # fmt: skip
def test_what_can_never_be_right_is_failed_with_the_reason(changed: dict[str, Any], reason: str) -> None:
    request = signing_request({**shown(), "spec": spec(**{"request": CSR, **changed})})
    assert isinstance(request, Approved)
    decided = verdict(request, WEB, "uid-of-web", MESH)
    assert isinstance(decided, Deny)
    assert decided.reason == reason


@pytest.mark.parametrize(
    ("pod", "account", "reason"),
    [
        (None, "uid-of-web", "PodGone"),
        (Pod("another", "web", "node", "Running"), "uid-of-web", "PodGone"),
        (Pod("uid-of-web-1", "db", "node", "Running"), "uid-of-web", "ServiceAccountMismatch"),
        (Pod("uid-of-web-1", "web", "node", "Succeeded"), "uid-of-web", "PodFinished"),
        (WEB, None, "ServiceAccountGone"),
        (WEB, "another", "ServiceAccountGone"),
    ],
)
def test_who_is_gone_gets_nothing(pod: Pod | None, account: str | None, reason: str) -> None:
    decided = verdict(approved(), pod, account, MESH)
    assert isinstance(decided, Deny)
    assert decided.reason == reason


def test_a_key_that_sidecars_cannot_verify_is_failed() -> None:
    builder = CertificateSigningRequestBuilder().subject_name(Name([]))
    other = builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM)
    request = signing_request({**shown(), "spec": spec(request=b64encode(other).decode())})
    assert isinstance(request, Approved)
    decided = verdict(request, WEB, "uid-of-web", MESH)
    assert isinstance(decided, Deny)
    assert decided.reason == "UnsupportedKeyType"


@given(st.integers(3600, 2**31 - 1), st.integers(3600, 7862400))
def test_it_lives_as_long_as_was_asked_for_and_no_longer_than_the_mesh_allows(asked: int, most: int) -> None:
    mesh = MeshConfiguration(certificate=Certificate(lifetime_seconds=most))
    decided = verdict(approved(expirationSeconds=asked), WEB, "uid-of-web", mesh)
    assert isinstance(decided, Sign)
    assert decided.lifetime == timedelta(seconds=min(asked, most))


@given(st.text(max_size=60), st.lists(st.text(max_size=10), max_size=3))
def test_no_name_that_is_no_service_accounts_is_ever_signed_for(username: str, groups: list[str]) -> None:
    request = approved(username=username, groups=groups)
    assert isinstance(request.requester, Invalid) or username.startswith("system:serviceaccount:")
    if not isinstance(request.requester, Requester):
        assert isinstance(verdict(request, WEB, "uid-of-web", MESH), Deny)


def test_a_failure_names_the_version_that_was_looked_at_and_is_not_endless() -> None:
    answer: Any = failed(approved(), "PodGone", "x" * 5000, datetime(2026, 3, 1, tzinfo=UTC))
    assert answer["metadata"] == {"name": "asked", "uid": "u", "resourceVersion": "7"}
    (condition,) = answer["status"]["conditions"]
    assert (condition["type"], condition["status"], len(condition["message"])) == ("Failed", "True", 1024)
    assert condition["lastTransitionTime"] == "2026-03-01T00:00:00Z"
    assert msgspec.json.encode(answer)
