"""SPIFFE's Workload API as it is on the wire. Pure.

The numbers are those of the specification (SPIFFE_Workload_API §5.1, §6.1). Its messages are in no package.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeAlias, cast

from google.protobuf import struct_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import DecodeError, EncodeError

from node.workload.svid import Svid
from proa.errors import Invalid, shown
from proa.identity import TrustDomain, WorkloadIdentity
from proa.protobuf import Field, kinds

SERVICE: Final = "SpiffeWorkloadAPI"
FETCH_X509_SVID: Final = "FetchX509SVID"
FETCH_X509_BUNDLES: Final = "FetchX509Bundles"
FETCH_JWT_SVID: Final = "FetchJWTSVID"
FETCH_JWT_BUNDLES: Final = "FetchJWTBundles"
VALIDATE_JWT_SVID: Final = "ValidateJWTSVID"

_TEXT: Final = FieldDescriptorProto.TYPE_STRING
_BYTES: Final = FieldDescriptorProto.TYPE_BYTES
_MESSAGE: Final = FieldDescriptorProto.TYPE_MESSAGE


class _Message(Protocol):
    audience: Any
    """Of a request for a JWT-SVID several, of one for its validation one."""
    spiffe_id: str
    svid: str

    def SerializeToString(self) -> bytes: ...  # noqa: N802 - protobuf's name


class _Kind(Protocol):
    def __call__(self, **fields: object) -> _Message: ...

    def FromString(self, message: bytes) -> _Message: ...  # noqa: N802


# Without the member that is never sent: hints.
_found = kinds(
    "",
    {
        "X509SVID": (
            Field(1, "spiffe_id", _TEXT),
            Field(2, "x509_svid", _BYTES),
            Field(3, "x509_svid_key", _BYTES),
            Field(4, "bundle", _BYTES),
        ),
        "BundlesEntry": (Field(1, "key", _TEXT), Field(2, "value", _BYTES)),
        "X509SVIDResponse": (
            Field(1, "svids", _MESSAGE, repeated=True, of=".X509SVID"),
            Field(2, "crl", _BYTES, repeated=True),
            Field(3, "federated_bundles", _MESSAGE, repeated=True, of=".BundlesEntry"),
        ),
        "X509BundlesResponse": (
            Field(1, "crl", _BYTES, repeated=True),
            Field(2, "bundles", _MESSAGE, repeated=True, of=".BundlesEntry"),
        ),
        "JWTSVIDRequest": (Field(1, "audience", _TEXT, repeated=True), Field(2, "spiffe_id", _TEXT)),
        "JWTSVID": (Field(1, "spiffe_id", _TEXT), Field(2, "svid", _TEXT)),
        "JWTSVIDResponse": (Field(1, "svids", _MESSAGE, repeated=True, of=".JWTSVID"),),
        "JWTBundlesResponse": (Field(1, "bundles", _MESSAGE, repeated=True, of=".BundlesEntry"),),
        "ValidateJWTSVIDRequest": (Field(1, "audience", _TEXT), Field(2, "svid", _TEXT)),
        "ValidateJWTSVIDResponse": (
            Field(1, "spiffe_id", _TEXT),
            Field(2, "claims", _MESSAGE, of=".google.protobuf.Struct"),
        ),
    },
    (struct_pb2.DESCRIPTOR,),
)
_kinds: Final = {name: cast("_Kind", kind) for name, kind in _found.items()}
_entry: Final = _kinds["BundlesEntry"]
Bundles: TypeAlias = Mapping[TrustDomain, bytes]


def x509_svid_response(svid: Svid, bundles: Bundles, crls: tuple[bytes, ...] = ()) -> bytes:
    """An X509SVIDResponse with one SVID, its trust domain's of *bundles* (DER), the others beside it, and *crls*."""
    own = svid.identity.trust_domain
    fields = {"x509_svid": svid.chain, "x509_svid_key": svid.key, "bundle": bundles[own]}
    one = _kinds["X509SVID"](spiffe_id=svid.identity.uri, **fields)
    others = _entries({domain: bundle for domain, bundle in bundles.items() if domain != own})
    return _kinds["X509SVIDResponse"](svids=[one], crl=crls, federated_bundles=others).SerializeToString()


def x509_bundles_response(bundles: Bundles, crls: tuple[bytes, ...] = ()) -> bytes:
    """An X509BundlesResponse with *bundles* (DER) and *crls*."""
    return _kinds["X509BundlesResponse"](bundles=_entries(bundles), crl=crls).SerializeToString()


def jwt_svid_asked(message: bytes) -> tuple[tuple[str, ...], str]:
    """Of a JWTSVIDRequest: the audiences, and the SPIFFE ID that is wanted, empty for all. Raises Invalid."""
    found = _read("JWTSVIDRequest", message)
    return tuple(found.audience), found.spiffe_id


def jwt_svid_response(identity: WorkloadIdentity, svid: str) -> bytes:
    """A JWTSVIDResponse with one."""
    return _kinds["JWTSVIDResponse"](svids=[_kinds["JWTSVID"](spiffe_id=identity.uri, svid=svid)]).SerializeToString()


def jwt_bundles_response(key_sets: Bundles) -> bytes:
    """A JWTBundlesResponse with *key_sets*, each a JWK set."""
    return _kinds["JWTBundlesResponse"](bundles=_entries(key_sets)).SerializeToString()


def validation_asked(message: bytes) -> tuple[str, str]:
    """Of a ValidateJWTSVIDRequest: the audience and the JWT-SVID. Raises Invalid."""
    found = _read("ValidateJWTSVIDRequest", message)
    return str(found.audience), found.svid


def validation_response(identity: str, claims: Mapping[str, Any]) -> bytes:
    """A ValidateJWTSVIDResponse; *identity* is a SPIFFE id of any trust domain. Raises Invalid: what another one's
    *claims* are nobody here chose, and not all of JSON is to be told by protobuf."""
    told = struct_pb2.Struct()
    try:
        told.update(dict(claims))
        return _kinds["ValidateJWTSVIDResponse"](spiffe_id=identity, claims=told).SerializeToString()
    except (EncodeError, OverflowError, RecursionError, ValueError) as error:
        raise Invalid("claims", shown(str(error)), "what a Struct of protobuf holds") from error


def _entries(bundles: Bundles) -> list[_Message]:
    """Keyed by the trust domains' SPIFFE IDs, and in their order: what says the same is the same, byte by byte."""
    return [_entry(key=domain.uri, value=bundles[domain]) for domain in sorted(bundles, key=str)]


def _read(name: str, message: bytes) -> _Message:
    try:
        return _kinds[name].FromString(message)
    except DecodeError as error:
        raise Invalid("request", f"{len(message)} bytes that are none", f"a {name}") from error
