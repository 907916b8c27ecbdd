"""Who has a certificate of which root, by what the API server keeps of requests, of Secrets, and of pods."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from ca.accounts.secret import NAMINGS, Account, credential, new_secret
from ca.authority import CertificateAuthority, self_signed_authority
from ca.certificates import Chain
from ca.csr import stub_request
from ca.holders import Holders, Listed, holders
from ca.profile import WorkloadLeaf
from ca.rotation import MARGIN
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import Vocabulary

DOMAIN = TrustDomain("cluster.local")
SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
FORMER, NEXT = (self_signed_authority(DOMAIN, lambda: SINCE) for _ in range(2))
KEY = ec.generate_private_key(ec.SECP256R1())


def chain(authority: CertificateAuthority) -> Chain:
    return authority.sign(stub_request(KEY), WorkloadLeaf(WorkloadIdentity(DOMAIN, "shop", "web")))


def pod(name: str, made: datetime = SINCE, *signers: str, phase: str = "Running") -> Any:
    sources = [{"podCertificate": {"signerName": each}} for each in signers or ("proa.dev/workload",)]
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": made.isoformat()},
        "spec": {"volumes": [{"emptyDir": {}}, {"projected": {"sources": [{"serviceAccountToken": {}}, *sources]}}]},
        "status": {"phase": phase},
    }


def request(name: str, authority: CertificateAuthority | None, minute: int, signer: str = "proa.dev/workload") -> Any:
    made = SINCE + timedelta(minutes=minute)
    return {
        "metadata": {"name": f"{name}-{minute}", "namespace": "shop", "creationTimestamp": made.isoformat()},
        "spec": {"podUID": name, "signerName": signer},
        "status": {"certificateChain": chain(authority).pem} if authority else {},
    }


def secret(name: str, authority: CertificateAuthority) -> Any:
    data = credential(KEY, chain(authority), authority.trust_bundle)
    return new_secret("shop", Account(name, "uid"), NAMINGS[Vocabulary.PROA], data)


def found(*pods: Any, requests: tuple[Any, ...] = (), secrets: tuple[Any, ...] = ()) -> Holders:
    (root,) = FORMER.roots
    return holders(Listed(pods, requests, secrets), root, SINCE)


def test_the_last_certificate_that_a_pod_was_given_counts() -> None:
    asked = (request("a", NEXT, 2), request("a", FORMER, 1), request("a", None, 3), request("b", FORMER, 1))
    assert found(pod("a"), pod("b"), requests=asked) == Holders(("pod shop/b",), (), 1, ())


def test_of_a_pod_without_a_request_its_age_tells_and_of_an_older_one_nothing() -> None:
    young, old = pod("young", SINCE + MARGIN + timedelta(seconds=1)), pod("old", SINCE + MARGIN)
    assert found(young, old) == Holders((), ("pod shop/old",), 1, ())


def test_pods_that_ended_or_are_given_certificates_by_others_do_not_count() -> None:
    others = (pod("a", SINCE, "example.com/other"), pod("b", phase="Succeeded"), pod("c", phase="Failed"))
    strangers = (request("d", FORMER, 1), request("e", FORMER, 1, "example.com/other"))
    assert found(*others, requests=strangers) == Holders((), (), 0, ())


def test_a_pod_with_certificates_of_several_signers_is_as_late_as_the_latest_of_them() -> None:
    both = ("proa.dev/workload", "proa.dev/serving")
    asked = (request("a", FORMER, 1), request("a", NEXT, 2, "proa.dev/serving"), request("b", NEXT, 1))
    assert found(pod("a", SINCE, *both), pod("b", SINCE, *both), requests=asked) == Holders(
        ("pod shop/a",), ("pod shop/b",), 0, ()
    )


def test_a_pod_whose_volume_projects_nothing_keeps_no_rotation_from_being_advanced() -> None:
    """As the API server shows it: `sources` is null then."""
    empty = pod("a")
    empty["spec"]["volumes"] = [{"projected": {"sources": None, "defaultMode": 420}}]
    assert found(empty) == Holders((), (), 0, ())


def test_secrets_count_by_what_stands_in_them() -> None:
    spoilt = {**secret("c", FORMER), "data": {}}
    stored = (secret("a", FORMER), secret("b", NEXT), spoilt)
    assert found(secrets=stored) == Holders(("secret shop/proa.a",), (), 1, ())


def test_many_are_counted_and_few_are_named() -> None:
    pods = [pod(f"web-{number}") for number in range(7)]
    text = str(found(*pods, requests=tuple(request(f"web-{number}", FORMER, 1) for number in range(7))))
    assert "7 (pod shop/web-0, pod shop/web-1, pod shop/web-2, pod shop/web-3, pod shop/web-4 and 2 more)" in text
