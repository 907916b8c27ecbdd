"""How revocation stands, as an admin reads it: what each CRL is and how long it holds, what is wrong. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ca.certificates import fingerprint
from ca.material import Issuer
from ca.revocation.crl import number, renewal_at, signed_by
from ca.revocation.register import Held, Register

_LATE: Final = timedelta(hours=2)
"""A leader looks every half hour."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The CRL of one issuer: what that does, its number, how many it lists, until when it holds."""

    issuer: str
    role: str
    number: int
    revoked: int
    next_update: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    revoked: tuple[str, ...]
    """Serial numbers, hexadecimal."""
    crls: tuple[Listed, ...]
    problems: tuple[str, ...]


def standing_of(register: Register, issuing: Issuer, now: datetime) -> Standing:
    listed = tuple(each for held in register.issuers for each in _listed(held, register))
    serials = tuple(f"{each.serial:x}" for each in register.revoked)
    return Standing(serials, listed, tuple(_problems(register, issuing, now)))


def _listed(held: Held, register: Register) -> Iterator[Listed]:
    for crl in register.crls:
        if signed_by(crl, held.issuer.issuing) and crl.next_update_utc is not None:
            name = fingerprint(held.issuer.issuing.certificate)
            yield Listed(name, _role(held), number(crl), len(crl), crl.next_update_utc)


def _role(held: Held) -> str:
    if held.waits:
        return "next"
    return "former" if held.ended else "issues"


def _problems(register: Register, issuing: Issuer, now: datetime) -> Iterator[str]:
    if not any(signed_by(crl, issuing.issuing) for crl in register.crls):
        yield "the issuer has no CRL: sidecars that want one let nobody in"
    if any(now > renewal_at(crl) + _LATE for crl in register.crls):
        yield "a CRL is not renewed: after its end sidecars let nobody in; see the Events RevocationFailed"
    on_lists = {each.serial_number for crl in register.crls for each in crl}
    if any(each.serial not in on_lists for each in register.revoked):
        yield "a certificate is revoked that no CRL lists yet: the leader signs one within seconds"
