"""What the register should hold by now: its issuers brought in line with who issues, its CRLs current. Pure.

An issuer's CRL has to be everywhere before its first leaf is shown to anybody: Envoy refuses a leaf about whose issuer
it has none. So whoever issues next is made some time before, and waits for its turn: below the present root a leaf's
life before the present issuer is due, below any other whose key is there at once, as a rotation may turn to it.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from ca.certificates import issued_by
from ca.custody import Keeper, nobody
from ca.material import Issuer, Material
from ca.renewal import issuer_due
from ca.revocation.crl import crl_due, crl_lifetime, crls_of, number, remembered, renewal_at, signed_by, signed_crl
from ca.revocation.register import Held, Register

MARGIN: Final = timedelta(minutes=15)
"""As of a root's rotation (`ca.rotation`)."""
_LEEWAY: Final = timedelta(days=1)
"""For a leader that is away, or a namespace that cannot be told."""


def tended(register: Register, material: Material, longest: timedelta, now: datetime) -> Register:
    """Without what is over, and with the issuer of *material* as the one that issues. *longest* is a leaf's life."""
    present = next((held for held in register.issuers if held.issuer == material.issuer), Held(material.issuer))
    issuing = Held(material.issuer, present.began or now)
    others = (_others(held, material, now) for held in register.issuers if held.issuer != material.issuer)
    kept = tuple(held for held in others if held is not None and not _over(held, longest, now))
    return Register(remembered(register.revoked, now), (issuing, *kept), register.crls)


def lacking(
    register: Register, keys: Iterable[x509.Certificate], material: Material, longest: timedelta, now: datetime
) -> tuple[x509.Certificate, ...]:
    """Of the trusted roots whose *keys* are there those that no issuer waits below though one should."""
    early = now < begins(material, longest)
    wanted = (root for root in keys if root in material.roots and not (early and root == material.root))
    return tuple(root for root in wanted if waiting(register, root) is None)


def begins(material: Material, longest: timedelta) -> datetime:
    """From when on the next issuer below the present root waits."""
    return issuer_due(material.issuer.issuing.validity) - longest - MARGIN - _LEEWAY


def waiting(register: Register, root: x509.Certificate) -> Issuer | None:
    """Who issues next below *root*."""
    found = (held.issuer for held in register.issuers if held.waits and below(held.issuer, root))
    return next(found, None)


def below(issuer: Issuer, root: x509.Certificate) -> bool:
    return issued_by(issuer.certificates[-1], root)


def with_crls(register: Register, longest: timedelta, now: datetime, keeper: Keeper = nobody) -> Register:
    """With a CRL for each issuer; those that are current stay as they are. Raises KeyUnavailable."""
    crls = (_current(held.issuer, register, longest, now, keeper) for held in register.issuers)
    return replace(register, crls=tuple(crls))


def next_look(register: Register, longest: timedelta) -> datetime | None:
    """When something is due without any news."""
    ends = (held.ended + longest + MARGIN for held in register.issuers if held.ended)
    return min((*map(renewal_at, register.crls), *ends), default=None)


def ripe(issuer: Issuer, longest: timedelta, now: datetime) -> bool:
    """Whether whoever has a leaf has the CRL of *issuer* too, which was published when it was made: both are written
    at once, and a leaf's life ago."""
    return now >= issuer.issuing.validity.not_before + longest + MARGIN


def covered(register: Register, root: x509.Certificate, texts: Iterable[str]) -> bool:
    """Whether there is an issuer below *root*, and all that issue or will issue have a CRL in each of *texts*."""
    issuers = [held.issuer for held in register.issuers if held.ended is None and below(held.issuer, root)]
    listed = [{crl.issuer for crl in crls_of(text)} for text in texts]
    return bool(issuers) and all(each.issuing.certificate.subject in names for names in listed for each in issuers)


def _others(held: Held, material: Material, now: datetime) -> Held | None:
    if held.waits:
        fresh = now < issuer_due(held.issuer.issuing.validity)
        return held if fresh and any(below(held.issuer, root) for root in material.roots) else None
    return held if held.ended else replace(held, ended=now)


def _over(held: Held, longest: timedelta, now: datetime) -> bool:
    """Its last leaf is, or it is itself."""
    gone = held.ended is not None and now > held.ended + longest + MARGIN
    return gone or now > held.issuer.issuing.validity.not_after


def _current(
    issuer: Issuer, register: Register, longest: timedelta, now: datetime, keeper: Keeper
) -> x509.CertificateRevocationList:
    found = next((crl for crl in register.crls if signed_by(crl, issuer.issuing)), None)
    if found is not None and not crl_due(found, issuer.issuing, register.revoked, now):
        return found
    former = 0 if found is None else number(found)
    return signed_crl(issuer, register.revoked, former, now, crl_lifetime(longest), keeper)
