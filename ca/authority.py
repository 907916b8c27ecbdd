"""The certificate authority: signs a leaf for an identity that its caller has authenticated. Shell: clock, randomness.

The clock and the serial numbers come in as arguments; only `self_signed_authority` makes keys.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ca.certificates import Chain, IssuingCertificate, PrivateKey, issued_by, issuing_certificate, pem
from ca.csr import checked_public_key
from ca.inspection import Asked, inspect
from ca.profile import (
    DEFAULT_LEAF,
    INTERMEDIATE_LIFETIME,
    ROOT_LIFETIME,
    LeafContents,
    Terms,
    authority_validity,
    checked_lifetime,
    intermediate_builder,
    leaf_builder,
    leaf_validity,
    root_builder,
)
from ca.randomness import new_key, new_serial
from proa.clock import Clock
from proa.errors import Invalid, Problems
from proa.identity import TrustDomain

Serials: TypeAlias = Callable[[], int]
"""Answers a number no certificate of this authority has: 64 random bits or more, at most 159."""

_DIGEST: Final = SHA256()


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate that may sign, its key, and the intermediates between it and a root, nearest first.

    Refused when key and certificate do not belong together, or a link of the chain does not hold.
    """

    issuing: IssuingCertificate
    key: PrivateKey = field(repr=False)
    above: tuple[x509.Certificate, ...] = ()

    def __post_init__(self) -> None:
        problems = Problems()
        if self.key.public_key() != self.issuing.public_key:
            problems.add([Invalid("key", "the key of another certificate", "the key of the issuer's certificate")])
        links = zip(self.certificates, self.above, strict=False)
        if not all(issued_by(lower, upper) for lower, upper in links):
            problems.add([Invalid("chain", "a certificate the next one did not issue", "each issued by the next")])
        problems.refuse("the issuer")

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        return (self.issuing.certificate, *self.above)


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """Issues under *issuer*, which one of *roots* must have issued; *lifetime* is a leaf's, unless asked otherwise."""

    issuer: Issuer
    roots: tuple[x509.Certificate, ...]
    clock: Clock
    lifetime: timedelta = DEFAULT_LEAF
    serials: Serials = new_serial

    def __post_init__(self) -> None:
        checked_lifetime(self.lifetime)
        if not any(issued_by(self.issuer.certificates[-1], root) for root in self.roots):
            raise Invalid("roots", f"{len(self.roots)}, none above the issuer", "the root that issued the issuer")

    def sign(self, csr: bytes, contents: LeafContents, lifetime: timedelta | None = None) -> Chain:
        """Issue for *contents*, which the caller has authenticated. Only the public key is taken from *csr*.

        The leaf lives for *lifetime*, or less where the issuer ends sooner. Raises CsrRejected and
        LifetimeRefused for what was asked; IssuerNotValid and LeafUnfit for what is wrong on our side.
        """
        wanted = self.lifetime if lifetime is None else lifetime
        validity = leaf_validity(self.clock(), wanted, self.issuer.issuing.validity)
        public_key = checked_public_key(csr)
        builder = leaf_builder(contents, Terms(public_key, validity, self.serials()), self.issuer.issuing)
        leaf = builder.sign(self.issuer.key, _DIGEST)
        inspect(leaf, Asked(contents, public_key, self.issuer.issuing, wanted))
        return Chain(leaf, tuple(above for above in self.issuer.certificates if above not in self.roots))

    @property
    def trust_bundle(self) -> str:
        """What peers must trust, as PEM."""
        return pem(*self.roots)


def self_signed_authority(
    trust_domain: TrustDomain, clock: Clock, lifetime: timedelta = DEFAULT_LEAF
) -> CertificateAuthority:
    """A new root and an intermediate that issues, in memory. The root's key is dropped: it never signs again."""
    now, root_key, key = clock(), new_key(), new_key()
    root_terms = Terms(root_key.public_key(), authority_validity(now, ROOT_LIFETIME), new_serial())
    root = root_builder(trust_domain, root_terms).sign(root_key, _DIGEST)
    terms = Terms(key.public_key(), authority_validity(now, INTERMEDIATE_LIFETIME), new_serial())
    intermediate = intermediate_builder(trust_domain, terms, issuing_certificate(root)).sign(root_key, _DIGEST)
    return CertificateAuthority(Issuer(issuing_certificate(intermediate), key), (root,), clock, lifetime)
