"""The Secret `proa-ca-root` as a value: the root and its key, by which intermediates are signed. Pure.

For the process that holds a ceremony and for commands: the one that takes requests reads nothing of it
(docs/decisions/0057).
"""

from typing import Final

from cryptography import x509

from ca.certificates import pem
from ca.material import Issuer
from ca.stored import (
    CERTIFICATES,
    KEY,
    OTHER_CERTIFICATE,
    OTHER_KEY,
    OTHER_ROOT,
    OWN,
    authority_secret,
    secret_values,
    stored_certificates,
    stored_issuer,
    written_place,
)
from proa.errors import Problems
from proa.json import Json
from proa.names import AUTHORITY

ROOT_SECRET: Final = f"{AUTHORITY}-root"
"""The root and its key, which sign intermediates and nothing else; while a root is rotated, the other one and its key
beside it. An admin may take it offline."""


def stored_roots(secret: Json) -> tuple[Issuer, ...]:
    """One or two, with their keys. Raises Refused."""
    values, problems = secret_values(secret), Problems()
    found: list[Issuer] = []
    with problems.collected():
        found.append(stored_issuer(values, OWN))
    if OTHER_CERTIFICATE in values:
        with problems.collected():
            found.append(stored_issuer(values, OTHER_ROOT))
    problems.refuse(f"the Secret {ROOT_SECRET}")
    return tuple(found)


def root_certificates(secret: Json) -> tuple[x509.Certificate, ...]:
    """As `stored_roots`, without so much as parsing a key: what there is to decide needs none. Raises Refused."""
    values, problems = secret_values(secret), Problems()
    found: list[x509.Certificate] = []
    for place in (CERTIFICATES, OTHER_CERTIFICATE):
        if place in values or place == CERTIFICATES:
            with problems.collected():
                found.append(stored_certificates(values, place)[0])
    problems.refuse(f"the Secret {ROOT_SECRET}")
    return tuple(found)


def roots_secret(roots: tuple[Issuer, ...]) -> Json:
    """The Secret for one root or two. Never log it."""
    places = ((CERTIFICATES, KEY), (OTHER_CERTIFICATE, OTHER_KEY))
    data: dict[str, str] = {}
    for root, (certificate, key) in zip(roots, places, strict=False):
        data |= {certificate: pem(*root.certificates), **written_place(root.key, key)}
    return authority_secret(ROOT_SECRET, data)
