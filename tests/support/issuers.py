"""Authorities whose root and intermediate have keys of each kind that an admin may bring."""

from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ca.certificates import issuing_certificate
from ca.material import Issuer, Material
from ca.profile import (
    INTERMEDIATE_LIFETIME,
    ROOT_LIFETIME,
    Terms,
    authority_validity,
    intermediate_builder,
    root_builder,
)
from ca.randomness import new_serial
from ca.signature import digest
from proa.clock import Clock
from proa.identity import TrustDomain

_MAKE: Final[dict[str, Any]] = {
    "ECDSA P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ECDSA P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA 2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA 3072": lambda: rsa.generate_private_key(65537, 3072),
    "RSA 4096": lambda: rsa.generate_private_key(65537, 4096),
}
KINDS: Final = tuple(_MAKE)


def material(kind: str, trust_domain: TrustDomain, clock: Clock) -> Material:
    key, below, now = _MAKE[kind](), _MAKE[kind](), clock()
    terms = Terms(key.public_key(), authority_validity(now, ROOT_LIFETIME), new_serial())
    root = issuing_certificate(root_builder(trust_domain, terms).sign(key, digest(key)))
    terms = Terms(below.public_key(), authority_validity(now, INTERMEDIATE_LIFETIME), new_serial())
    intermediate = intermediate_builder(trust_domain, terms, root).sign(key, digest(key))
    return Material(Issuer(issuing_certificate(intermediate), below), (root.certificate,))
