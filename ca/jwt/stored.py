"""The Secret `proa-ca-jwt` as a value: the keys that sign JWT-SVIDs, each by when it was made. Pure."""

import re
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from ca.jwt.keys import Keys, SigningKey
from ca.stored import authority_secret, secret_values, stored_key, written_key
from proa.errors import Invalid
from proa.json import Json
from proa.names import AUTHORITY
from proa.trees import members

JWT_SECRET: Final = f"{AUTHORITY}-jwt"
_NAME: Final = re.compile(r"(\d{1,11})\.pem")
"""Seconds since 1970."""


def stored_keys(secret: Json) -> Keys:
    """Oldest first. Raises Invalid, with none of their bytes."""
    values = secret_values(secret)
    found: list[SigningKey] = []
    for name in values:
        key, named = stored_key(values, name), _NAME.fullmatch(name)
        if named is None or not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise Invalid(f"data.{name}", "what the authority did not write", "ECDSA P-256 keys by when they were made")
        found.append(SigningKey(datetime.fromtimestamp(int(named[1]), UTC), key))
    return tuple(sorted(found, key=lambda each: each.made))


def keys_secret(keys: Keys, version: str = "") -> Json:
    """To be created, or to replace the one of that resourceVersion. Never log it."""
    secret = authority_secret(JWT_SECRET, {f"{int(each.made.timestamp())}.pem": written_key(each.key) for each in keys})
    return {**secret, "metadata": {**members(secret, "metadata"), "resourceVersion": version}} if version else secret
