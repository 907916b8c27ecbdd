"""How a node's agent asks whom to believe beside the roots: `proa.trust.v1`, beside Istio's protocol and like it. Pure.

As with `ca.jwt.messages` both ends may be of two versions: members are added, and never given another meaning.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import DecodeError

from proa.errors import Invalid
from proa.identity import TrustDomain
from proa.protobuf import Field, kinds

PACKAGE: Final = "proa.trust.v1"
SERVICE: Final = f"{PACKAGE}.Trust"
TELL: Final = "Tell"
_TEXT: Final = FieldDescriptorProto.TYPE_STRING
_BYTES: Final = FieldDescriptorProto.TYPE_BYTES


@dataclass(frozen=True, slots=True)
class Foreign:
    """Another trust domain: its *roots* (DER, one after the other), and the JWK set that verifies its JWT-SVIDs, empty
    where nobody told one."""

    domain: TrustDomain
    roots: bytes
    key_set: bytes


@dataclass(frozen=True, slots=True)
class Trust:
    """*aliases* are this trust domain's other names; *crls* are DER."""

    aliases: tuple[TrustDomain, ...] = ()
    foreign: tuple[Foreign, ...] = ()
    crls: tuple[bytes, ...] = ()


class _Kind(Protocol):
    def __call__(self, **fields: object) -> Any: ...

    def FromString(self, message: bytes) -> Any: ...  # noqa: N802 - protobuf's name


_found = kinds(
    PACKAGE,
    {
        "Foreign": (Field(1, "domain", _TEXT), Field(2, "roots", _BYTES), Field(3, "key_set", _BYTES)),
        "TellResponse": (
            Field(1, "aliases", _TEXT, repeated=True),
            Field(2, "foreign", FieldDescriptorProto.TYPE_MESSAGE, repeated=True, of=f".{PACKAGE}.Foreign"),
            Field(3, "crls", _BYTES, repeated=True),
        ),
    },
)
_foreign, _response = (cast("_Kind", kind) for kind in _found.values())


def told(trust: Trust) -> bytes:
    """A TellResponse."""
    others = [_foreign(domain=each.domain.name, roots=each.roots, key_set=each.key_set) for each in trust.foreign]
    aliases = [each.name for each in trust.aliases]
    return cast("bytes", _response(aliases=aliases, foreign=others, crls=trust.crls).SerializeToString())


def trust_told(message: bytes) -> Trust:
    """Of a TellResponse. Raises Invalid."""
    try:
        found = _response.FromString(message)
    except DecodeError as error:
        raise Invalid("message", f"{len(message)} bytes that are none", f"one of {PACKAGE}") from error
    return Trust(
        tuple(map(TrustDomain, found.aliases)),
        tuple(Foreign(TrustDomain(each.domain), each.roots, each.key_set) for each in found.foreign),
        tuple(found.crls),
    )
