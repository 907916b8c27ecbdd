"""How a node's agent asks for JWT-SVIDs: `proa.jwt.v1`, beside Istio's protocol and like it. Pure.

SPIFFE has no protocol between an agent and its authority; this one is ours. Its ends may be of two versions: members
are added, and never given another meaning.
"""

from typing import Final, Protocol, cast

from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import DecodeError

from proa.errors import Invalid
from proa.protobuf import Field, kinds

PACKAGE: Final = "proa.jwt.v1"
SERVICE: Final = f"{PACKAGE}.JwtSvids"
CREATE: Final = "Create"
KEYS: Final = "Keys"
_TEXT: Final = FieldDescriptorProto.TYPE_STRING


class _Message(Protocol):
    audience: list[str]
    identity: str
    svid: str
    key_set: bytes

    def SerializeToString(self) -> bytes: ...  # noqa: N802 - protobuf's name


class _Kind(Protocol):
    def __call__(self, **fields: object) -> _Message: ...

    def FromString(self, message: bytes) -> _Message: ...  # noqa: N802


_found = kinds(
    PACKAGE,
    {
        "CreateRequest": (Field(1, "audience", _TEXT, repeated=True), Field(2, "identity", _TEXT)),
        "CreateResponse": (Field(1, "svid", _TEXT),),
        "KeysResponse": (Field(1, "key_set", FieldDescriptorProto.TYPE_BYTES),),
    },
)
_create_request, _create_response, _keys_response = (cast("_Kind", kind) for kind in _found.values())


def create_request(audiences: tuple[str, ...], identity: str) -> bytes:
    """For *identity*, or the caller's own where that is empty."""
    return _create_request(audience=audiences, identity=identity).SerializeToString()


def create_asked(message: bytes) -> tuple[tuple[str, ...], str]:
    """Of a CreateRequest: for which audiences and which identity. Raises Invalid."""
    found = _read(_create_request, message)
    return tuple(found.audience), found.identity


def create_response(svid: str) -> bytes:
    return _create_response(svid=svid).SerializeToString()


def created(message: bytes) -> str:
    """Raises Invalid."""
    return _read(_create_response, message).svid


def keys_response(key_set: bytes) -> bytes:
    return _keys_response(key_set=key_set).SerializeToString()


def told_keys(message: bytes) -> bytes:
    """A JWK set. Raises Invalid."""
    return _read(_keys_response, message).key_set


def _read(kind: _Kind, message: bytes) -> _Message:
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise Invalid("message", f"{len(message)} bytes that are none", f"one of {PACKAGE}") from error
