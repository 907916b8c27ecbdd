"""The kubelet's half of a workload certificate: a key, an empty request, a bundle; and who got which. Shell."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.authority import CertificateAuthority
from ca.bundle import credential_bundle
from ca.csr import stub_request
from ca.profile import LeafContents, WorkloadLeaf
from ca.randomness import new_key
from demo.pod import Pod, PodCertificate
from proa import names
from proa.errors import Invalid, shown
from proa.identity import TrustDomain, WorkloadIdentity


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was given out. *fingerprint* is SHA-256 of its DER, in hexadecimal, as Envoy logs it."""

    identity: WorkloadIdentity
    serial: str
    fingerprint: str


@dataclass(slots=True)
class Credentials:
    """Certifies pods by *authority* and remembers what was issued, latest last."""

    authority: CertificateAuthority
    trust_domain: TrustDomain
    issued: list[Issued] = field(default_factory=list[Issued])

    def certificate(self, pod: Pod, wanted: PodCertificate) -> bytes:
        """A credential bundle for *pod*. Raises Invalid for a signer that is not ours."""
        _check_signer(wanted.signer_name)
        identity = pod_identity(pod, self.trust_domain)
        bundle, leaf = certified(self.authority, WorkloadLeaf(identity), wanted.max_expiration_seconds)
        fingerprint = hashlib.sha256(leaf.public_bytes(Encoding.DER)).hexdigest()
        self.issued.append(Issued(identity, f"{leaf.serial_number:040x}", fingerprint))
        return bundle

    def latest(self, pod: Pod) -> Issued:
        """The certificate that *pod* has now."""
        identity = pod_identity(pod, self.trust_domain)
        return next(issued for issued in reversed(self.issued) if issued.identity == identity)

    def serials(self) -> dict[str, str]:
        """Serial numbers by fingerprint."""
        return {issued.fingerprint: issued.serial for issued in self.issued}

    def trust_bundle(self, signer: str) -> bytes:
        _check_signer(signer)
        return self.authority.trust_bundle.encode()


def pod_identity(pod: Pod, trust_domain: TrustDomain) -> WorkloadIdentity:
    return WorkloadIdentity(trust_domain, pod.metadata.namespace, pod.spec.service_account_name)


def certified(
    authority: CertificateAuthority, contents: LeafContents, lifetime_seconds: int
) -> tuple[bytes, x509.Certificate]:
    """A fresh key, certified by a request that says nothing but the public key, as the kubelet's does (KEP-4317)."""
    key = new_key()
    chain = authority.sign(stub_request(key), contents, timedelta(seconds=lifetime_seconds))
    return credential_bundle(key, chain).encode(), chain.leaf


def _check_signer(signer: str) -> None:
    if signer != names.SIGNER:
        raise Invalid("signerName", shown(signer), names.SIGNER)
