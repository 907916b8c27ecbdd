"""The keys that sign JWT-SVIDs: which signs now, which are told to verifiers, and what is to be done when. Pure.

A key is told before it signs, and as long as a token that it signed may live. What is due follows from their ages
alone, so whoever dies at whichever write is carried on from.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from ca.jwk import encoded, parameters
from proa.json import Json

ALGORITHM: Final = "ES256"
"""RFC 7518 §3.1: ECDSA with P-256 and SHA-256."""
LIFETIME: Final = timedelta(minutes=5)
"""Of a token, which nobody can revoke."""
ANNOUNCED: Final = timedelta(hours=6)
"""For which a key is told before it signs: longer than verifiers keep what they have read."""
RETIRED: Final = timedelta(hours=1)
"""For which one is told after the next one began to sign: a token's life, and replicas whose clock or news are late."""
TURN: Final = timedelta(days=30)
"""After which the next one is made."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """*made* is in whole seconds."""

    made: datetime
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def identifier(self) -> str:
        """By its public half alone (RFC 7638), so that every replica calls it the same."""
        members = dict(sorted(parameters(self.key.public_key()).items()))
        return encoded(sha256(msgspec.json.encode(members)).digest())


Keys: TypeAlias = tuple[SigningKey, ...]
"""Oldest first."""


@dataclass(frozen=True, slots=True)
class Make:
    """Add one."""


@dataclass(frozen=True, slots=True)
class Keep:
    """These alone: the others are told no more."""

    keys: Keys


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing before *until*."""

    until: datetime


Step: TypeAlias = Make | Keep | Rest


def signer(keys: Keys, now: datetime) -> SigningKey:
    """The newest that is known for long enough. The first one of all has to sign at once. *keys* are one or more."""
    known = [each for each in keys if each.made + ANNOUNCED <= now]
    return known[-1] if known else keys[0]


def step(keys: Keys, now: datetime) -> Step:
    """What to do with *keys* at *now*; one thing at a time."""
    if not keys or keys[-1].made + TURN <= now:
        return Make()
    needed = tuple(each for each, end in zip(keys, _ends(keys), strict=True) if end > now)
    if needed != keys:
        return Keep(needed)
    return Rest(min((keys[-1].made + TURN, *_ends(keys)[:-1])))


def key_set(keys: Keys, use: str = "jwt-svid") -> Json:
    """Their public halves as a JWK set (RFC 7517); *use* is SPIFFE's word for it (SPIFFE Trust Domain and Bundle
    §4.2.2), or `sig` for those who know no SPIFFE."""
    named = {each.identifier: parameters(each.key.public_key()) for each in keys}
    return {"keys": [{**found, "kid": name, "use": use, "alg": ALGORITHM} for name, found in named.items()]}


def _ends(keys: Keys) -> list[datetime]:
    """Until when each is told. The last one's end nobody knows: it is later than any other."""
    return [*(after.made + ANNOUNCED + RETIRED for after in keys[1:]), keys[-1].made + 2 * TURN]
