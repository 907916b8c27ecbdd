"""A JWT-SVID: who a workload is, to whom it says so, until when (SPIFFE JWT-SVID §2, §3). Pure."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import jwt

from ca.jwt.keys import ALGORITHM, LIFETIME, Keys, signer
from proa.errors import Invalid, shown
from proa.identity import WorkloadIdentity

MOST_AUDIENCES: Final = 8
"""Whoever gets a token can show it to each of the others (§6.2)."""
_LONGEST_AUDIENCE: Final = 512
LONGEST: Final = 16 * 1024
"""Characters of a token that is worth looking at."""


def checked_audiences(audiences: Collection[str]) -> tuple[str, ...]:
    """Each once, in their order. Raises Invalid."""
    found = tuple(dict.fromkeys(audiences))
    if not 0 < len(found) <= MOST_AUDIENCES:
        raise Invalid("audience", f"{len(found)}", f"1 to {MOST_AUDIENCES}")
    for each in found:
        if not 0 < len(each) <= _LONGEST_AUDIENCE:
            raise Invalid("audience", shown(each), f"1 to {_LONGEST_AUDIENCE} characters")
    return found


def jwt_svid(keys: Keys, identity: WorkloadIdentity, audiences: tuple[str, ...], issuer: str, now: datetime) -> str:
    """In compact serialization, of `LIFETIME`. *issuer* is where OpenID Connect looks for the keys. Never log it."""
    key, since = signer(keys, now), int(now.timestamp())
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": identity.uri,
        "aud": list(audiences),
        "iat": since,
        "exp": since + int(LIFETIME.total_seconds()),
    }
    return jwt.encode(claims, key.key, ALGORITHM, {"kid": key.identifier})
