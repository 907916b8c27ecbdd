"""The Secret `proa-ca-revocation` as a value: who is revoked, and the issuers whose CRLs have to say so. Pure.

It holds the keys of three kinds of issuers: the one that issues, those that did until a moment ago, as their leaves can
still be revoked, and one below each root that will issue next, as its CRL has to be everywhere before it does.
"""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypeAlias

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ca.certificates import issuing_certificate, pem
from ca.key_uri import SCHEME, KeyElsewhere, key_elsewhere
from ca.material import Issuer
from ca.revocation.crl import Revoked, crls_of, crls_pem
from ca.stored import authority_secret, secret_values, written_key
from proa.errors import Invalid
from proa.json import Json
from proa.names import AUTHORITY
from proa.trees import members

REVOCATION_SECRET: Final = f"{AUTHORITY}-revocation"
REGISTER_KEY: Final = "register.json"
CRLS_KEY: Final = "ca-crl.pem"
MOST_REVOKED: Final = 1000
"""At once: each stands on every node. Whoever has lost more keys than that rotates the root."""
_Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True)
class Held:
    """An *issuer* with its key. *began*: it is seen issuing since; *ended*: it is seen to issue no more since."""

    issuer: Issuer
    began: datetime | None = None
    ended: datetime | None = None

    @property
    def waits(self) -> bool:
        return self.began is None


@dataclass(frozen=True, slots=True)
class Register:
    revoked: tuple[Revoked, ...] = ()
    issuers: tuple[Held, ...] = ()
    crls: tuple[x509.CertificateRevocationList, ...] = ()

    @property
    def pem(self) -> str:
        """What Envoy is to read."""
        return crls_pem(self.crls)


class _Revoked(msgspec.Struct, frozen=True):
    serial: str
    at: _Moment
    not_after: _Moment
    issuer: str = ""


class _Held(msgspec.Struct, frozen=True, omit_defaults=True):
    chain: str
    key: str
    began: _Moment | None = None
    ended: _Moment | None = None


class _Register(msgspec.Struct, frozen=True):
    revoked: tuple[_Revoked, ...] = ()
    issuers: tuple[_Held, ...] = ()


def register_of(secret: Json) -> Register:
    """Raises Invalid, which shows nothing of what stands there."""
    values = secret_values(secret)
    try:
        stored = msgspec.json.decode(_decoded(values, REGISTER_KEY) or b"{}", type=_Register)
        return Register(
            tuple(Revoked(int(each.serial, 16), each.at, each.not_after, each.issuer) for each in stored.revoked),
            tuple(Held(_issuer(each), each.began, each.ended) for each in stored.issuers),
            crls_of(_decoded(values, CRLS_KEY).decode("ascii")),
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, Invalid):
        problem = Invalid(f"the Secret {REVOCATION_SECRET}", "what cannot be read", "what the authority wrote")
    raise problem


def register_secret(register: Register, version: str = "") -> Json:
    """To be created, or to replace the one of that resourceVersion. Never log it."""
    stored = _Register(
        tuple(_Revoked(f"{each.serial:x}", each.at, each.not_after, each.issuer) for each in register.revoked),
        tuple(
            _Held(pem(*each.issuer.certificates), _key(each.issuer), each.began, each.ended)
            for each in register.issuers
        ),
    )
    data = {REGISTER_KEY: msgspec.json.encode(stored).decode(), CRLS_KEY: register.pem}
    secret = authority_secret(REVOCATION_SECRET, data)
    return {**secret, "metadata": {**members(secret, "metadata"), "resourceVersion": version}} if version else secret


def _issuer(stored: _Held) -> Issuer:
    chain = x509.load_pem_x509_certificates(stored.chain.encode())
    issuing = issuing_certificate(chain[0])
    if stored.key.startswith(SCHEME):
        return Issuer(issuing, key_elsewhere(stored.key, issuing.public_key), tuple(chain[1:]))
    key = load_pem_private_key(stored.key.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise TypeError
    return Issuer(issuing, key, tuple(chain[1:]))


def _key(issuer: Issuer) -> str:
    if isinstance(issuer.key, KeyElsewhere):
        return issuer.key.uri
    return written_key(issuer.key)


def _decoded(values: Mapping[str, Json], key: str) -> bytes:
    value = values.get(key)
    return b64decode(value, validate=True) if isinstance(value, str) else b""
