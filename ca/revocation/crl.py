"""Certificate revocation lists: what is in one, when the next one is due, the text that Envoy reads. Pure.

RFC 5280 §5. Each names the issuer whose leaves it is about and is signed by that issuer's key, as BoringSSL knows no
other kind (it wants the leaf's own issuer, by name and by key).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ca.certificates import IssuingCertificate
from ca.custody import Keeper, KeyUnavailable, nobody
from ca.der import SEQUENCE, elements, framed, only
from ca.key_uri import KeyElsewhere
from ca.material import Issuer
from ca.signature import algorithm, digest, signed_element
from proa.errors import Invalid

SHORTEST_CRL: Final = timedelta(days=7)
BACKDATE: Final = timedelta(hours=1)
"""A CRL of the future ends every handshake of a node whose clock is behind, and nobody gains by a late one."""
REMEMBERED: Final = timedelta(days=1)
"""How long an entry outlives its certificate: it has to stand on one CRL from after its end (RFC 5280 §3.3)."""
_LONGEST_SERIAL: Final = 159
"""Bits (RFC 5280 §4.1.2.2)."""
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = "-----END X509 CRL-----\n"


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate by its serial number, revoked *at* a moment, which ends by *not_after* at the latest. *issuer* is
    the key identifier of its issuer, hexadecimal, or empty where nobody said."""

    serial: int
    at: datetime
    not_after: datetime
    issuer: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.serial < 1 << _LONGEST_SERIAL:
            raise Invalid("serial number", f"{self.serial:x}"[:41], f"a positive one of at most {_LONGEST_SERIAL} bits")
        if self.at < _FIRST:
            raise Invalid("revoked at", f"{self.at}", f"a moment from {_FIRST:%Y} on")


def crl_lifetime(longest: timedelta) -> timedelta:
    """Twice the *longest* life of a leaf, as it is renewed at half of its own: where nobody can renew CRLs, nobody is
    issued leaves either, and those end first."""
    return max(SHORTEST_CRL, 2 * longest)


def remembered(revoked: Iterable[Revoked], now: datetime) -> tuple[Revoked, ...]:
    return tuple(each for each in revoked if now <= each.not_after + REMEMBERED)


def entries(issuer: IssuingCertificate, revoked: Iterable[Revoked]) -> dict[int, datetime]:
    """What stands on *issuer*'s list: serial numbers and when they were revoked."""
    own = issuer.key_identifier.hex()
    return {each.serial: each.at.replace(microsecond=0) for each in revoked if each.issuer in ("", own)}


def crl_due(
    crl: x509.CertificateRevocationList, issuer: IssuingCertificate, revoked: Iterable[Revoked], now: datetime
) -> bool:
    """Whether another one is to be signed: it is past half of its life, or says something else than it should."""
    end = crl.next_update_utc
    if end is None or now >= renewal_at(crl):
        return True
    return {each.serial_number for each in crl} != set(entries(issuer, revoked))


def renewal_at(crl: x509.CertificateRevocationList) -> datetime:
    begin, end = crl.last_update_utc, crl.next_update_utc or crl.last_update_utc
    return begin + (end - begin) / 2


def signed_crl(
    issuer: Issuer,
    revoked: Iterable[Revoked],
    former: int,
    now: datetime,
    lifetime: timedelta,
    keeper: Keeper = nobody,
) -> x509.CertificateRevocationList:
    """The list of *issuer* from *now* on; *former* is the number of the one before, 0 if there was none.

    Raises KeyUnavailable.
    """
    issuing, moment = issuer.issuing, now.replace(microsecond=0)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuing.certificate.subject)
        .last_update(moment - BACKDATE)
        .next_update(moment + lifetime)
        .add_extension(x509.AuthorityKeyIdentifier(issuing.key_identifier, None, None), critical=False)
        .add_extension(x509.CRLNumber(max(former + 1, int(moment.timestamp()))), critical=False)
    )
    for serial, at in sorted(entries(issuing, revoked).items()):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        builder = builder.add_revoked_certificate(entry)
    if isinstance(issuer.key, KeyElsewhere):
        made = _signed_elsewhere(builder, issuer.key, keeper)
        # Whose it is, nobody knows before (docs/decisions/0056); with a list that nobody signed all handshakes fail.
        if not signed_by(made, issuing):
            raise KeyUnavailable(issuer.key.uri, "what it signs a CRL with is not the issuer's signature")
        return made
    return builder.sign(issuer.key, digest(issuer.key))


def _signed_elsewhere(
    builder: x509.CertificateRevocationListBuilder, key: KeyElsewhere, keeper: Keeper
) -> x509.CertificateRevocationList:
    """The library writes a list only with a key of its own to sign it: of what it wrote, the algorithm is put right."""
    written = builder.sign(ec.derive_private_key(1, ec.SECP256R1()), SHA256()).tbs_certlist_bytes
    version, _, *rest = elements(only(written, SEQUENCE))
    named = algorithm(key.key)
    tbs = framed(SEQUENCE, b"".join((version, named, *rest)))
    return x509.load_der_x509_crl(signed_element(tbs, named, keeper(key, tbs)))


def number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def signed_by(crl: x509.CertificateRevocationList, issuer: IssuingCertificate) -> bool:
    return crl.issuer == issuer.certificate.subject and crl.is_signature_valid(issuer.public_key)


def crls_pem(crls: Iterable[x509.CertificateRevocationList]) -> str:
    return "".join(crl.public_bytes(Encoding.PEM).decode("ascii") for crl in crls)


def crls_of(text: str) -> tuple[x509.CertificateRevocationList, ...]:
    """Those of a PEM *text*; none where somebody has put there what cannot be."""
    try:
        parts = text.replace("\r\n", "\n").split(_END)[:-1]
        return tuple(x509.load_pem_x509_crl(f"{part}{_END}".encode()) for part in parts)
    except ValueError:
        return ()
