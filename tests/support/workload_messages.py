"""A client's messages of SPIFFE's Workload API, as protoc makes them of the protocol's definition."""

from support.protocol import generated


def jwt_svid_request(*audiences: str, identity: str = "") -> bytes:
    messages, _ = generated("workload")
    return messages.JWTSVIDRequest(audience=audiences, spiffe_id=identity).SerializeToString()


def response_of(message: bytes) -> dict[str, bytes]:
    """The bundles of a JWTBundlesResponse."""
    messages, _ = generated("workload")
    return dict(messages.JWTBundlesResponse.FromString(message).bundles)


def validation_request(audience: str, svid: str) -> bytes:
    messages, _ = generated("workload")
    return messages.ValidateJWTSVIDRequest(audience=audience, svid=svid).SerializeToString()


def validated_id(message: bytes) -> str:
    """Of a ValidateJWTSVIDResponse."""
    messages, _ = generated("workload")
    return messages.ValidateJWTSVIDResponse.FromString(message).spiffe_id


def crls_of(message: bytes, kind: str) -> list[bytes]:
    """Of a message of that *kind*."""
    messages, _ = generated("workload")
    return list(getattr(messages, kind).FromString(message).crl)
