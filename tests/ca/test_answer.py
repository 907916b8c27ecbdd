"""The status says what the API server checks, to the second."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.answer import begin_refresh_at, denied, issued
from ca.authority import CertificateAuthority, self_signed_authority
from ca.certificates import Chain
from ca.csr import stub_request
from ca.profile import LONGEST_LEAF, SHORTEST_LEAF, WorkloadLeaf
from ca.randomness import new_key
from ca.request import Pending
from ca.verdict import Deny
from proa.identity import TrustDomain, WorkloadIdentity

DOMAIN = TrustDomain("cluster.local")
NOW = datetime.fromisoformat("2026-03-01T12:00:00.700000+00:00")
CSR = stub_request(new_key())
AUTHORITY = self_signed_authority(DOMAIN, lambda: NOW)
REQUEST = Pending("shop", "r", "u", "proa.dev/workload", "p", "pu", "web", "au", "n", timedelta(days=1), CSR)


def chain(lifetime: timedelta, authority: CertificateAuthority = AUTHORITY) -> Chain:
    return authority.sign(CSR, WorkloadLeaf(WorkloadIdentity(DOMAIN, "shop", "web")), lifetime)


def test_an_issued_answer_is_this() -> None:
    signed = chain(timedelta(days=1))
    assert issued(REQUEST, signed, NOW, jitter=0.5) == {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "PodCertificateRequest",
        "metadata": {"name": "r", "namespace": "shop", "uid": "u"},
        "status": {
            "conditions": [
                {
                    "type": "Issued",
                    "status": "True",
                    "reason": "Signed",
                    "message": f"serial number {signed.serial:x}",
                    "lastTransitionTime": "2026-03-01T12:00:00Z",
                }
            ],
            "certificateChain": signed.pem,
            "notBefore": "2026-03-01T11:59:00Z",
            "beginRefreshAt": "2026-03-01T23:59:00Z",
            "notAfter": "2026-03-02T11:59:00Z",
        },
    }


def test_a_denial_carries_its_reason_and_no_certificate() -> None:
    status: Any = denied(REQUEST, Deny("UnsupportedKeyType", "m" * 5000), NOW)
    assert list(status["status"]) == ["conditions"]
    (condition,) = status["status"]["conditions"]
    assert (condition["type"], condition["reason"]) == ("Denied", "UnsupportedKeyType")
    assert len(condition["message"]) == 1024


@given(st.timedeltas(SHORTEST_LEAF, LONGEST_LEAF), st.floats(0, 1))
def test_every_answer_passes_the_api_servers_checks(lifetime: timedelta, jitter: float) -> None:
    """ValidatePodCertificateRequestStatusUpdate of Kubernetes 1.37."""
    signed = chain(lifetime)
    status: Any = issued(REQUEST, signed, NOW, jitter)
    begin, refresh, end = (
        datetime.fromisoformat(status["status"][key]) for key in ("notBefore", "beginRefreshAt", "notAfter")
    )
    assert (begin, end) == (signed.leaf.not_valid_before_utc, signed.leaf.not_valid_after_utc)
    assert timedelta(0) <= NOW - begin <= timedelta(minutes=5)
    assert timedelta(hours=1) <= end - begin <= lifetime
    assert begin + timedelta(minutes=10) <= refresh <= end - timedelta(minutes=10)


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 0.45), (0.5, 0.5), (1.0, 0.55)])
def test_renewals_spread_over_a_tenth_of_the_life(jitter: float, share: float) -> None:
    signed = chain(timedelta(days=10))
    moment = begin_refresh_at(signed, jitter) - signed.not_before
    assert abs(moment - timedelta(days=10) * share) <= timedelta(seconds=1)
