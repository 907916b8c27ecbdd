"""Which certificate somebody wants revoked: read from a leaf, or from the serial number as it is shown. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from ca.certificates import extension, validity
from ca.revocation.crl import Revoked
from ca.revocation.register import Register
from proa.errors import Invalid, shown

_SERIAL: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{16,40}|[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){7,19}")
"""As our logs and `proa ca inspect` show it, and as OpenSSL does. Fewer digits are no serial number of ours."""


def is_serial(text: str) -> bool:
    return _SERIAL.fullmatch(text) is not None


def of_serial(text: str, longest: timedelta, now: datetime) -> Revoked:
    """Of any issuer; it ends within the *longest* life of a leaf, as it is out already. Raises Invalid."""
    if not is_serial(text):
        raise Invalid("SERIAL", shown(text), "16 to 40 hexadecimal digits")
    return Revoked(int(text.replace(":", ""), 16), now.replace(microsecond=0), now.replace(microsecond=0) + longest)


def of_leaf(certificates: Sequence[x509.Certificate], register: Register, now: datetime) -> Revoked:
    """The first of *certificates*. Raises Invalid where a CRL of ours would say nothing about it."""
    if not certificates:
        raise Invalid("FILE", "no certificate", "a leaf")
    leaf = certificates[0]
    basic, pointer = extension(leaf, x509.BasicConstraints), extension(leaf, x509.AuthorityKeyIdentifier)
    if basic is not None and basic.value.ca:
        raise Invalid("the certificate", "one that may issue", "a leaf; an issuer or a root goes by `proa ca rotate`")
    issuer = (pointer.value.key_identifier or b"").hex() if pointer is not None else ""
    if issuer not in {held.issuer.issuing.key_identifier.hex() for held in register.issuers}:
        raise Invalid("the certificate's issuer", issuer or "none", "one whose leaves are alive: `proa ca status`")
    end = validity(leaf).not_after
    if now > end:
        raise Invalid("the certificate", f"one that ended at {end:%Y-%m-%dT%H:%M:%SZ}", "one that is alive")
    return Revoked(leaf.serial_number, now.replace(microsecond=0), end, issuer)
