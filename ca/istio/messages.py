"""Istio's protocol for certificates, `istio.v1.auth`, as it is on the wire. Pure.

Described here by names and numbers, in a pool of its own: no code is generated, and none of another library's with the
same names is disturbed (docs/decisions/0030). The numbers are those of istio/api, security/v1alpha1/ca.proto.
"""

from dataclasses import dataclass
from typing import Final, Protocol, cast

from google.protobuf import struct_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from ca.certificates import Chain, pem
from ca.istio.asked import Asked
from proa.errors import Invalid

PACKAGE: Final = "istio.v1.auth"
SERVICE: Final = f"{PACKAGE}.IstioCertificateService"
METHOD: Final = "CreateCertificate"
_SIGNER: Final = "CertSigner"
_IMPERSONATED: Final = "ImpersonatedIdentity"


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    name: str
    type: "FieldDescriptorProto.Type.ValueType"
    repeated: bool = False
    of: str = ""


# Number 2 was `subject_id`, which no client of the last years sends: it passes as an unknown field.
_REQUEST: Final = (
    _Field(1, "csr", FieldDescriptorProto.TYPE_STRING),
    _Field(3, "validity_duration", FieldDescriptorProto.TYPE_INT64),
    _Field(4, "metadata", FieldDescriptorProto.TYPE_MESSAGE, of=".google.protobuf.Struct"),
)
_RESPONSE: Final = (_Field(1, "cert_chain", FieldDescriptorProto.TYPE_STRING, repeated=True),)


class _Value(Protocol):
    string_value: str

    def WhichOneof(self, oneof: str) -> str | None: ...  # noqa: N802 - protobuf's name


class _Metadata(Protocol):
    fields: dict[str, _Value]


class _Request(Protocol):
    csr: str
    validity_duration: int
    metadata: _Metadata

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
    texts = [*map(pem, (chain.leaf, *chain.intermediates)), roots]
    return _response_kind(cert_chain=texts).SerializeToString()


def _word(name: str, metadata: _Metadata) -> str:
    if name not in metadata.fields:
        return ""
    value = metadata.fields[name]
    if value.WhichOneof("kind") != "string_value":
        raise Invalid(f"metadata.{name}", "another type", "text")
    return value.string_value


def _kinds() -> tuple[_Kind, _Kind]:
    file = FileDescriptorProto(name="istio_ca.proto", package=PACKAGE, syntax="proto3")
    file.dependency.append("google/protobuf/struct.proto")
    names = {"IstioCertificateRequest": _REQUEST, "IstioCertificateResponse": _RESPONSE}
    for name, fields in names.items():
        message = file.message_type.add(name=name)
        for each in fields:
            label = FieldDescriptorProto.LABEL_REPEATED if each.repeated else FieldDescriptorProto.LABEL_OPTIONAL
            message.field.add(
                name=each.name, number=each.number, type=each.type, label=label, type_name=each.of or None
            )
    pool = DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    found = (GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in names)
    request, answer = (cast("_Kind", kind) for kind in found)
    return request, answer


_request_kind, _response_kind = _kinds()
