"""A JWT-SVID as the authority answered it, and as anybody may show one. Pure.

SPIFFE JWT-SVID §4: the algorithm is the key's and not the token's to choose, the key is one that the trust domain of
the token's subject tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.types import Options

from ca.jwt.svid import LONGEST
from proa.errors import Invalid, shown
from proa.identity import TrustDomain, WorkloadIdentity, trust_domain_of

_OURS: Final[Options] = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "require": ["sub", "aud", "exp"],
}
"""Times are compared here, with the time that comes in."""
_BY_CURVE: Final[Mapping[str, tuple[str, ...]]] = {
    "secp256r1": ("ES256",),
    "secp384r1": ("ES384",),
    "secp521r1": ("ES512",),
}
"""RFC 7518 §3.4."""
_BY_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_SHORTEST_RSA: Final = 2048
"""Bits (RFC 7518 §3.3)."""


@dataclass(frozen=True, slots=True)
class Token:
    """*text* is good from *since* to *until*."""

    text: str = field(repr=False)
    since: datetime
    until: datetime

    @property
    def due(self) -> datetime:
        """From when on another one is asked for: who is given one has half of its life at least."""
        return self.since + (self.until - self.since) / 2


def token(text: str, identity: WorkloadIdentity, audiences: tuple[str, ...]) -> Token:
    """Raises Invalid if it is not what was asked for."""
    try:
        claims = jwt.decode(text, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise Invalid("answer", "what cannot be read", "a JWT-SVID") from error
    if (claims.get("sub"), claims.get("aud")) != (identity.uri, list(audiences)):
        raise Invalid("answer", shown(claims.get("sub")), f"one of {identity.uri} for those audiences")
    return Token(text, _time(claims, "iat"), _time(claims, "exp"))


def validated(
    text: str, audience: str, key_sets: Mapping[TrustDomain, bytes], now: datetime
) -> tuple[str, Mapping[str, Any]]:
    """The SPIFFE id whose *text* is, and its claims, if it is good for *audience* at *now*, by the keys of the id's own
    trust domain: of *key_sets*, each a JWK set. Raises Invalid."""
    if not audience or not text or len(text) > LONGEST:
        raise Invalid("request", "no audience, no token or too long a one", "both, as short as tokens are")
    try:
        named = jwt.decode(text, options={"verify_signature": False}).get("sub")
        key = _key(jwt.get_unverified_header(text), _key_set(named, key_sets))
        claims = jwt.decode(text, key, algorithms=_algorithms(key), audience=audience, options=_OURS)
    except (jwt.PyJWTError, RecursionError) as error:
        raise Invalid("svid", shown(str(error)), "a JWT-SVID of a trust domain whose keys are known") from error
    if claims["sub"] != named:
        raise Invalid("sub", shown(claims["sub"]), "one subject")
    if now >= _time(claims, "exp") or ("nbf" in claims and now < _time(claims, "nbf")):
        raise Invalid("exp", shown(claims["exp"]), f"a token that is good at {now:%Y-%m-%dT%H:%M:%SZ}")
    return str(named), claims


def _key_set(named: object, key_sets: Mapping[TrustDomain, bytes]) -> bytes:
    """Of the trust domain that a token claims to be of: a token of another's keys is none of it."""
    domain = trust_domain_of(named if isinstance(named, str) else "")
    found = key_sets.get(domain)
    if found is None:
        raise Invalid("sub", domain.uri, f"one of the trust domains whose keys are known: {_listed(key_sets)}")
    return found


def _listed(key_sets: Mapping[TrustDomain, bytes]) -> str:
    return ", ".join(sorted(each.name for each in key_sets))


def _key(header: Mapping[str, Any], key_set: bytes) -> Any:
    # Not looked up in a set: what stands there need not be hashable.
    if header.get("typ", "JWT") not in ("JWT", "JOSE"):
        raise jwt.InvalidTokenError("the type of the token is another")
    found = [each for each in jwt.PyJWKSet.from_json(key_set.decode()).keys if each.key_id == header.get("kid")]
    if not found:
        raise jwt.InvalidTokenError("a key that this trust domain does not tell")
    return found[0].key


def _algorithms(key: Any) -> tuple[str, ...]:
    """That *key* may have signed by (SPIFFE JWT-SVID §2.1)."""
    match key:
        case ec.EllipticCurvePublicKey():
            return _BY_CURVE.get(key.curve.name, ())
        case rsa.RSAPublicKey() if key.key_size >= _SHORTEST_RSA:
            return _BY_RSA
        case _:
            raise jwt.InvalidTokenError("a key of a kind that signs no JWT-SVIDs")


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 2**36:
        raise Invalid(name, shown(found), "seconds since 1970")
    return datetime.fromtimestamp(found, UTC)
