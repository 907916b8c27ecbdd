"""A foreign root as a trust anchor that can vouch for no trust domain but its own. Pure.

Envoy's SPIFFE validator picks the roots by the first URI of a leaf, and takes a server for any of its URIs
(docs/decisions/0046). So the anchor itself says for which names it is one: BoringSSL holds each URI of each certificate
below it against that (RFC 5280 §4.2.1.10).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from proa.identity import TrustDomain

_NOBODYS: Final = ec.derive_private_key(1, ec.SECP256R1())
"""Who is trusted as an anchor is not verified by a signature; there only has to be one, always the same."""
_EARLIEST: Final = datetime(1950, 1, 1)  # noqa: DTZ001 - UTC without saying so, as the builder takes it
_SERIALS: Final = range(1, 1 << 159)


def anchor(root: x509.Certificate, *domains: TrustDomain) -> x509.Certificate:
    """Name, key and life of *root*, constrained to URIs of *domains*. The same for the same, byte by byte."""
    start = max(root.not_valid_before_utc.replace(tzinfo=None), _EARLIEST)
    builder = (
        x509.CertificateBuilder()
        .subject_name(root.subject)
        .issuer_name(root.issuer)
        .public_key(root.public_key())
        # What a builder refuses and a root may have all the same.
        .serial_number(root.serial_number if root.serial_number in _SERIALS else 1)
        .not_valid_before(start)
        .not_valid_after(max(root.not_valid_after_utc.replace(tzinfo=None), start))
        .add_extension(_constraints(root, domains), critical=True)
    )
    for each in root.extensions:
        if not isinstance(each.value, x509.NameConstraints):
            builder = builder.add_extension(each.value, each.critical)
    return builder.sign(_NOBODYS, SHA256(), ecdsa_deterministic=True)


def _constraints(root: x509.Certificate, domains: Iterable[TrustDomain]) -> x509.NameConstraints:
    """Those of *root* about other kinds of names, and what it excludes, go on."""
    own = [each.value for each in root.extensions if isinstance(each.value, x509.NameConstraints)]
    permitted = [name for each in own for name in each.permitted_subtrees or ()]
    others = [name for name in permitted if not isinstance(name, x509.UniformResourceIdentifier)]
    excluded = [name for each in own for name in each.excluded_subtrees or ()]
    return x509.NameConstraints(
        [*(x509.UniformResourceIdentifier(each.name) for each in domains), *others], excluded or None
    )
