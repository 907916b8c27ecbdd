"""Go's verifier, by which Kubernetes and Istio's clients judge, takes our chains, in every phase of a rotation too.

It needs no cluster but the Go that builds one.
"""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ca.authority import CertificateAuthority
from ca.certificates import pem
from ca.csr import stub_request
from ca.phases import Start
from ca.profile import ServingLeaf, WorkloadLeaf
from launcher import builds
from proa.identity import TrustDomain, WorkloadIdentity
from support.issuers import KINDS, material
from support.rotated import Cluster

pytestmark = pytest.mark.at_any_time
DOMAIN = TrustDomain("cluster.local")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CSR = stub_request(ec.generate_private_key(ec.SECP256R1()))
WORKLOAD = WorkloadLeaf(WorkloadIdentity(DOMAIN, "shop", "web"))
SERVER = ServingLeaf(("proa-webhook.proa-system.svc",))


def question(chain: str, roots: str, at: datetime, usage: str = "client", name: str = "") -> dict[str, str]:
    return {"chain": chain, "roots": roots, "usage": usage, "name": name, "time": at.isoformat()}


def answers(*questions: dict[str, str]) -> list[str]:
    asked = "".join(json.dumps(each) + "\n" for each in questions)
    done = subprocess.run(
        [builds.built(builds.VERIFY)], input=asked, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


@pytest.fixture(params=KINDS)
def authority(request: pytest.FixtureRequest) -> CertificateAuthority:
    made = material(request.param, DOMAIN, lambda: NOW)
    return CertificateAuthority(made.issuer, made.roots, lambda: NOW)


def test_a_workloads_chain_verifies_on_both_sides_and_a_servers_by_its_name(authority: CertificateAuthority) -> None:
    chain, served, roots = authority.sign(CSR, WORKLOAD).pem, authority.sign(CSR, SERVER).pem, authority.trust_bundle
    assert (
        answers(
            question(chain, roots, NOW),
            question(chain, roots, NOW, "server"),
            question(served, roots, NOW, "server", SERVER.dns_names[0]),
        )
        == ["ok"] * 3
    )


def test_go_refuses_what_it_should(authority: CertificateAuthority) -> None:
    """Or its consent above would mean nothing."""
    chain, served, roots = authority.sign(CSR, WORKLOAD).pem, authority.sign(CSR, SERVER).pem, authority.trust_bundle
    stranger = material("ECDSA P-256", DOMAIN, lambda: NOW)
    refused: Any = answers(
        question(chain, pem(*stranger.roots), NOW),
        question(chain, roots, NOW + timedelta(days=2)),
        question(served, roots, NOW),
        question(served, roots, NOW, "server", "another.proa-system.svc"),
    )
    for found, words in zip(refused, ("unknown authority", "expired", "usage", "not another"), strict=True):
        assert words in found, refused


def test_every_live_chain_verifies_by_every_pods_roots_through_a_whole_rotation() -> None:
    cluster, asked, phases = Cluster(), list[dict[str, str]](), set[str]()
    cluster.wish(Start())
    for hour in range(60):
        cluster.publish()
        cluster.look()
        cluster.deliver(hour % 5)
        phases.add(cluster.phase)
        alive = cluster.alive()
        asked.extend(question(one.chain.pem, pem(*other.trusted), cluster.now) for one in alive for other in alive)
        cluster.passes(timedelta(hours=1))
    assert phases == {"announced", "settling", "renewing", "resting"}
    assert len(cluster.material.roots) == 1
    assert set(answers(*asked)) == {"ok"}
