"""What the authority issues with: an issuer's certificate, key and chain, and the roots that peers trust. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from ca.certificates import IssuingCertificate, PrivateKey, extension, issued_by, issuing_certificate, validity
from ca.csr import CsrRejected, certifiable_key
from ca.key_uri import KeyElsewhere
from ca.profile import SHORTEST_LEAF
from ca.signature import digest, sign, verifies
from proa.errors import Invalid, Problems

NAMES: Final = {NameOID.SERIAL_NUMBER: "serialNumber"}
"""RFC 4514 has no word of its own for it."""
MOST_ROOTS: Final = 16
"""Each is sent to every node and tried by every peer."""
_PROOF: Final = b"Proa: this key is the one that the certificate names"
"""No certificate and no list of revoked ones: those begin with the tag of a SEQUENCE."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate that may sign, its key, and the intermediates between it and a root, nearest first.

    Refused when key and certificate do not belong together, or a link of the chain does not hold. A key of this process
    has to sign once, and the certificate to verify it: what an Issuer's own key signs later is not verified again
    (docs/decisions/0056). Two are equal where their certificates are: a certificate has one key, and `cryptography`
    compares private keys by identity alone.
    """

    issuing: IssuingCertificate
    key: PrivateKey | KeyElsewhere = field(repr=False, compare=False)
    above: tuple[x509.Certificate, ...] = ()

    def __post_init__(self) -> None:
        problems = Problems()
        if not _belongs(self.key, self.issuing):
            problems.add([Invalid("key", "the key of another certificate", "the key of the issuer's certificate")])
        links = zip(self.certificates, self.above, strict=False)
        if not all(issued_by(lower, upper) for lower, upper in links):
            problems.add([Invalid("chain", "a certificate the next one did not issue", "each issued by the next")])
        problems.refuse("the issuer")

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        return (self.issuing.certificate, *self.above)


@dataclass(frozen=True, slots=True)
class Material:
    """An issuer and the roots, which must fit each other; Refused names everything that does not.

    There may be more roots than the one above the issuer: while a root is replaced, peers trust both.
    """

    issuer: Issuer
    roots: tuple[x509.Certificate, ...]

    def __post_init__(self) -> None:
        problems = Problems()
        problems.add(_key_problems(self.issuer.issuing))
        problems.add(_root_problems(self.roots))
        problems.add(_path_problems(self.issuer.certificates, self.roots))
        problems.refuse("the authority's material")

    def __str__(self) -> str:
        """Public facts only."""
        issuing = self.issuer.issuing
        return f"{issuing.certificate.subject.rfc4514_string(NAMES)}, valid {issuing.validity}"

    @property
    def key_uri(self) -> str:
        """Where the issuer's key lies, if elsewhere: of two that are equal it may be in different places."""
        return self.issuer.key.uri if isinstance(self.issuer.key, KeyElsewhere) else ""

    @property
    def root(self) -> x509.Certificate:
        """The root above the issuer."""
        return next(root for root in self.roots if issued_by(self.issuer.certificates[-1], root))

    def usable(self, now: datetime) -> bool:
        """Whether a leaf of the shortest life can be issued at *now*."""
        chain = (*self.issuer.certificates, self.root)
        return all(each.not_before <= now <= each.not_after - SHORTEST_LEAF for each in map(validity, chain))


def _belongs(key: PrivateKey | KeyElsewhere, issuing: IssuingCertificate) -> bool:
    if key.public_key() != issuing.public_key:
        return False
    return isinstance(key, KeyElsewhere) or verifies(issuing.public_key, sign(key, _PROOF), _PROOF, digest(key))


def _key_problems(issuing: IssuingCertificate) -> Iterator[Invalid]:
    """Sidecars verify what the issuer signs: its key has to be one they can verify (docs/decisions/0006)."""
    try:
        certifiable_key(issuing.public_key)
    except CsrRejected as problem:
        yield Invalid("issuer's key", problem.found, problem.allowed)


def _root_problems(roots: tuple[x509.Certificate, ...]) -> Iterator[Invalid]:
    if not 1 <= len(roots) <= MOST_ROOTS:
        yield Invalid("roots", f"{len(roots)}", f"1 to {MOST_ROOTS}")
    if len(set(roots)) < len(roots):
        # The API server refuses a ClusterTrustBundle with duplicates (Kubernetes 1.37).
        yield Invalid("roots", "the same one twice", "each once")
    for number, root in enumerate(roots):
        problems = Problems()
        with problems.collected(f"roots.{number}"):
            issuing_certificate(root)
        if not issued_by(root, root):
            problems.add([Invalid(f"roots.{number}", "a certificate of another one", "one that signed itself")])
        if problems:
            yield from problems.refusal("").problems


def _path_problems(chain: tuple[x509.Certificate, ...], roots: tuple[x509.Certificate, ...]) -> Iterator[Invalid]:
    """RFC 5280 §4.2.1.9: a path length counts the intermediates below, the leaf not among them."""
    above = [root for root in roots if issued_by(chain[-1], root)]
    if not above:
        yield Invalid("roots", f"{len(roots)}, none above the issuer", "the root that issued the issuer")
    # A root that issues by itself stands in both places, and nothing is below it.
    path = (*chain, *(root for root in above[:1] if root not in chain))
    for below, certificate in enumerate(path):
        basic = extension(certificate, x509.BasicConstraints)
        if basic is None or not basic.value.ca:
            yield Invalid(f"chain.{below}", "no CA", "CA:TRUE")
        elif basic.value.path_length is not None and basic.value.path_length < below:
            yield Invalid(f"chain.{below}", f"path length {basic.value.path_length}", f"{below} or more, or none")
