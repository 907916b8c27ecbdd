"""The certificate authority: signs a leaf for an identity that its caller has authenticated. Shell: clock, randomness.

The clock and the serial numbers come in as arguments; only what is called new makes keys.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ssl import DER_cert_to_PEM_cert
from typing import TypeAlias

from cryptography import x509

from ca.certificates import (
    Chain,
    Printed,
    PublicKey,
    Validity,
    encoded_key,
    issued_by,
    issuing_certificate,
    pem,
    printed,
)
from ca.csr import checked_public_key
from ca.custody import Keeper, nobody, signed
from ca.differences import Asked
from ca.inspection import Yardstick, inspected, yardstick
from ca.key_uri import KeyElsewhere
from ca.leaf import LeafForm, certificate, leaf_form, leaf_tbs
from ca.material import Issuer
from ca.profile import (
    DEFAULT_LEAF,
    INTERMEDIATE_LIFETIME,
    ROOT_LIFETIME,
    LeafContents,
    Terms,
    authority_validity,
    checked_lifetime,
    intermediate_builder,
    leaf_validity,
    root_builder,
)
from ca.randomness import new_issuer_key, new_serial
from ca.signature import digest
from proa.clock import Clock
from proa.errors import Invalid
from proa.identity import TrustDomain
from proa.mesh import IssuerKey

Serials: TypeAlias = Callable[[], int]
"""Answers a number no certificate of this authority has: 64 random bits or more, at most 159."""


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """Issues under *issuer*, which one of *roots* must have issued; *lifetime* is a leaf's, unless asked otherwise."""

    issuer: Issuer
    roots: tuple[x509.Certificate, ...]
    clock: Clock
    lifetime: timedelta = DEFAULT_LEAF
    serials: Serials = new_serial
    keeper: Keeper = nobody
    _prepared: "_Prepared" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checked_lifetime(self.lifetime)
        if not any(issued_by(self.issuer.certificates[-1], root) for root in self.roots):
            raise Invalid("roots", f"{len(self.roots)}, none above the issuer", "the root that issued the issuer")
        object.__setattr__(self, "_prepared", _prepared(self.issuer, self.roots))

    def sign(self, csr: bytes, contents: LeafContents, lifetime: timedelta | None = None) -> Chain:
        """Issue for *contents*, which the caller has authenticated. Only the public key is taken from *csr*.

        The leaf lives for *lifetime*, or less where the issuer ends sooner. Raises CsrRejected and
        LifetimeRefused for what was asked; IssuerNotValid, KeyUnavailable and LeafUnfit for what is wrong on our side.
        """
        wanted = checked_lifetime(self.lifetime if lifetime is None else lifetime)
        return self.issue(checked_public_key(csr), contents, wanted)

    def issue(self, public_key: PublicKey, contents: LeafContents, lifetime: timedelta) -> Chain:
        """As `sign`, for a key that `checked_public_key` has let pass."""
        issuing, key = self.issuer.issuing, encoded_key(public_key)
        validity = leaf_validity(self.clock(), lifetime, issuing.validity)
        tbs = leaf_tbs(self._prepared.form, contents, key, validity, self.serials())
        signature = signed(self.issuer, tbs, self.keeper)
        made = certificate(self._prepared.form, tbs, signature.value)
        leaf = inspected(made, signature, Asked(contents, key, issuing, lifetime), self._prepared.yardstick)
        return Chain(Printed(leaf, DER_cert_to_PEM_cert(made), self_issued=False), self._prepared.above)

    @property
    def trust_bundle(self) -> str:
        """What peers must trust, as PEM."""
        return self._prepared.trust_bundle


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is the same for each leaf."""

    form: LeafForm
    yardstick: Yardstick
    above: tuple[Printed, ...]
    trust_bundle: str


def _prepared(issuer: Issuer, roots: tuple[x509.Certificate, ...]) -> _Prepared:
    above = tuple(printed(each) for each in issuer.certificates if each not in roots)
    return _Prepared(leaf_form(issuer.issuing), yardstick(issuer.issuing), above, pem(*roots))


def self_signed_authority(
    trust_domain: TrustDomain, clock: Clock, lifetime: timedelta = DEFAULT_LEAF
) -> CertificateAuthority:
    """A new root and an intermediate that issues, in memory. The root's key is dropped: it never signs again."""
    root = new_root(trust_domain, clock())
    issuer = new_intermediate(trust_domain, root, clock())
    return CertificateAuthority(issuer, (root.issuing.certificate,), clock, lifetime)


def new_root(trust_domain: TrustDomain, now: datetime, kind: IssuerKey = IssuerKey.ECDSA_P256) -> Issuer:
    """A root with a new key, which signs itself."""
    key = new_issuer_key(kind)
    terms = Terms(key.public_key(), authority_validity(now, ROOT_LIFETIME), new_serial())
    return Issuer(issuing_certificate(root_builder(trust_domain, terms).sign(key, digest(key))), key)


def new_intermediate(
    trust_domain: TrustDomain, root: Issuer, now: datetime, kind: IssuerKey = IssuerKey.ECDSA_P256
) -> Issuer:
    """An issuer of leaves with a new key, below *root* and no longer valid than it."""
    key, validity = new_issuer_key(kind), authority_validity(now, INTERMEDIATE_LIFETIME)
    validity = Validity(validity.not_before, min(validity.not_after, root.issuing.validity.not_after))
    builder = intermediate_builder(trust_domain, Terms(key.public_key(), validity, new_serial()), root.issuing)
    above = root.key
    if isinstance(above, KeyElsewhere):
        raise Invalid("the root's key", f"one elsewhere, {above.uri}", "one that lies in the Secret proa-ca-root")
    return Issuer(issuing_certificate(builder.sign(above, digest(above))), key)
