"""What verifiers are told, as documents by their paths. Pure."""

from collections.abc import Mapping
from typing import Final, TypeAlias, cast
from urllib.parse import urlsplit

import msgspec
from cryptography import x509

from ca.jwt.keys import ALGORITHM, Keys, key_set
from ca.svid_bundle import spiffe_bundle
from proa.json import Json

Documents: TypeAlias = Mapping[str, bytes]
CONFIGURATION: Final = "/.well-known/openid-configuration"
KEYS: Final = "/keys"
BUNDLE: Final = "/bundle"


def documents(keys: Keys, roots: tuple[x509.Certificate, ...], issuer: str) -> Documents:
    """Below the path of *issuer*: OpenID Connect's configuration and the keys that it names, and SPIFFE's bundle."""
    below = urlsplit(issuer).path
    found: dict[str, Json] = {
        CONFIGURATION: _configuration(issuer),
        KEYS: key_set(keys, "sig"),
        BUNDLE: spiffe_bundle(roots, cast("dict[str, list[Json]]", key_set(keys))["keys"]),
    }
    return {f"{below}{path}": msgspec.json.encode(document) for path, document in found.items()}


def _configuration(issuer: str) -> Json:
    """OpenID Connect Discovery 1.0 §3, as far as it is about keys: nobody logs in here."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}{KEYS}",
        "authorization_endpoint": "",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
    }
