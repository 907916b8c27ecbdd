"""Whether the authority could serve a pod right now: it issues a certificate, which is verified up to the roots. Shell.

By the library's own path validation, which shares no rule with `profile` or `inspection`. It reads the clock it is
given and draws a serial number, as every issuance does.
"""

from collections.abc import Callable
from typing import TypeAlias

from cryptography.x509 import ExtensionNotFound
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from ca.authority import CertificateAuthority
from ca.csr import stub_request
from ca.profile import SHORTEST_LEAF, WorkloadLeaf
from ca.randomness import new_key
from proa.errors import Invalid, ProaError
from proa.identity import TrustDomain, WorkloadIdentity
from proa.names import AUTHORITY, SYSTEM_NAMESPACE

SelfTest: TypeAlias = Callable[[CertificateAuthority, TrustDomain], None]
"""Raises ProaError where the authority's certificates would not be accepted."""


def self_test() -> SelfTest:
    """A test with a key of its own, made once: the key is thrown away with the process."""
    request = stub_request(new_key())

    def run(authority: CertificateAuthority, trust_domain: TrustDomain) -> None:
        identity = WorkloadIdentity(trust_domain, SYSTEM_NAMESPACE, AUTHORITY)
        chain = authority.sign(request, WorkloadLeaf(identity), SHORTEST_LEAF)
        policy = PolicyBuilder().store(Store(list(authority.roots))).time(authority.clock())
        try:
            policy.build_client_verifier().verify(chain.leaf, list(chain.intermediates))
        except (VerificationError, ExtensionNotFound, ValueError) as error:
            raise Invalid("a certificate issued as a test", str(error), "one that verifies up to the roots") from error

    return run


def failure(test: SelfTest, authority: CertificateAuthority, trust_domain: TrustDomain) -> str:
    """What is wrong, in words; empty where nothing is."""
    try:
        test(authority, trust_domain)
    except ProaError as problem:
        return str(problem)
    return ""
