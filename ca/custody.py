"""Who signs with the issuer's key: this process itself, or whoever keeps the key and is given what to sign. Pure.

A keeper is a function: a key it knows and the bytes in, the signature out. A PKCS #11 token is one (`pkcs11`); the key
service of a cloud would be another.
"""

from dataclasses import dataclass
from typing import ClassVar, NoReturn, Protocol, TypeAlias

from ca.certificates import IssuingCertificate
from ca.key_uri import KeyElsewhere
from ca.material import Issuer
from ca.signature import sign
from proa.errors import ProaError


@dataclass(eq=False)
class KeyUnavailable(ProaError):
    """The key is where it was, and cannot be used now: what is asked may be asked again."""

    code: ClassVar[str] = "key_unavailable"
    uri: str
    reason: str

    def __str__(self) -> str:
        return f"the key {self.uri} cannot be used: {self.reason}"


class Keeper(Protocol):
    """Signs with keys that lie elsewhere: ECDSA in DER, or RSA by PKCS #1 v1.5, by the digest of `signature`. Raises
    KeyUnavailable."""

    def __call__(self, key: KeyElsewhere, message: bytes) -> bytes: ...


def nobody(key: KeyElsewhere, message: bytes) -> NoReturn:  # noqa: ARG001 - the protocol's
    """The keeper of a process that was told of none."""
    raise KeyUnavailable(key.uri, "this process is told of no PKCS #11 module (PROA_PKCS11_MODULE)")


@dataclass(frozen=True, slots=True)
class MadeHere:
    """A signature, *value*, of *message*, made in this process by the key that an Issuer proved to be *issuer*'s."""

    issuer: IssuingCertificate
    message: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class MadeElsewhere:
    """What a keeper answered for *message*. Whose signature it is, and of what, is not known before it is verified."""

    message: bytes
    value: bytes


Signature: TypeAlias = MadeHere | MadeElsewhere


def signed(issuer: Issuer, message: bytes, keeper: Keeper) -> Signature:
    """*message* signed with the key of *issuer*. Raises KeyUnavailable."""
    if isinstance(issuer.key, KeyElsewhere):
        return MadeElsewhere(message, keeper(issuer.key, message))
    return MadeHere(issuer.issuing, message, sign(issuer.key, message))
