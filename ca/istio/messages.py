"""Istio's protocol for certificates, `istio.v1.auth`, as it is on the wire. Pure.

The numbers are those of istio/api, security/v1alpha1/ca.proto.
"""

from typing import Final, Protocol, cast

from google.protobuf import struct_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import DecodeError

from ca.certificates import Chain
from ca.istio.asked import Asked
from proa.errors import Invalid
from proa.protobuf import Field, kinds

PACKAGE: Final = "istio.v1.auth"
SERVICE: Final = f"{PACKAGE}.IstioCertificateService"
METHOD: Final = "CreateCertificate"
_SIGNER: Final = "CertSigner"
_IMPERSONATED: Final = "ImpersonatedIdentity"

# Number 2 was `subject_id`, which no client of the last years sends: it passes as an unknown field.
_REQUEST: Final = (
    Field(1, "csr", FieldDescriptorProto.TYPE_STRING),
    Field(3, "validity_duration", FieldDescriptorProto.TYPE_INT64),
    Field(4, "metadata", FieldDescriptorProto.TYPE_MESSAGE, of=".google.protobuf.Struct"),
)
_RESPONSE: Final = (Field(1, "cert_chain", FieldDescriptorProto.TYPE_STRING, repeated=True),)


class _Value(Protocol):
    string_value: str

    def WhichOneof(self, oneof: str) -> str | None: ...  # noqa: N802 - protobuf's name


class _Metadata(Protocol):
    fields: dict[str, _Value]


class _Request(Protocol):
    csr: str
    validity_duration: int
    metadata: _Metadata
    cert_chain: list[str]

    def SerializeToString(self) -> bytes: ...  # noqa: N802


class _Kind(Protocol):
    def __call__(self, **fields: object) -> _Request: ...

    def FromString(self, message: bytes) -> _Request: ...  # noqa: N802


def asked(message: bytes) -> Asked:
    """What an IstioCertificateRequest asks for. Raises Invalid."""
    try:
        request = _request_kind.FromString(message)
    except DecodeError as error:
        raise Invalid("request", f"{len(message)} bytes that are none", "an IstioCertificateRequest") from error
    words = {name: _word(name, request.metadata) for name in (_SIGNER, _IMPERSONATED)}
    return Asked(request.csr.encode(), request.validity_duration, words[_SIGNER], words[_IMPERSONATED])


def response(chain: Chain, roots: str) -> bytes:
    """An IstioCertificateResponse: the leaf, each intermediate, and last all *roots* in one text.

    Istio's clients take the last text for what to trust, and refuse an answer of one (security/pkg/nodeagent/cache).
    """
    return _response_kind(cert_chain=(*chain.texts, roots)).SerializeToString()


def request(csr: bytes, impersonated: str) -> bytes:
    """An IstioCertificateRequest of a proxy of a node: *csr* in PEM, for the identity of one of its node's pods."""
    metadata = struct_pb2.Struct()
    metadata.update({_IMPERSONATED: impersonated})
    return _request_kind(csr=csr.decode("ascii"), metadata=metadata).SerializeToString()


def answered(message: bytes) -> tuple[str, ...]:
    """The texts of an IstioCertificateResponse, as `response` lays them out. Raises Invalid."""
    try:
        return tuple(_response_kind.FromString(message).cert_chain)
    except DecodeError as error:
        raise Invalid("answer", f"{len(message)} bytes that are none", "an IstioCertificateResponse") from error


def _word(name: str, metadata: _Metadata) -> str:
    if name not in metadata.fields:
        return ""
    value = metadata.fields[name]
    if value.WhichOneof("kind") != "string_value":
        raise Invalid(f"metadata.{name}", "another type", "text")
    return value.string_value


_found = kinds(
    PACKAGE, {"IstioCertificateRequest": _REQUEST, "IstioCertificateResponse": _RESPONSE}, (struct_pb2.DESCRIPTOR,)
)
_request_kind, _response_kind = (cast("_Kind", kind) for kind in _found.values())
