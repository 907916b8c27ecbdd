"""What of the configuration and the CRLs the nodes' agents are told. Pure."""

from typing import Any, Final

import jwt
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from ca.certificates import der
from ca.revocation.crl import crls_of
from ca.svid_bundle import anchors
from ca.trusted.messages import Foreign, Trust
from proa.federation import Bundles
from proa.mesh import MeshConfiguration

_KINDS: Final = ("EC", "RSA")
"""Of keys: JWT-SVIDs are signed by no other (SPIFFE JWT-SVID §2.1), and a secret is nothing to be told."""
_PUBLIC: Final = ("kty", "use", "kid", "alg", "crv", "x", "y", "n", "e")
"""Members of a JWK that anybody may see (RFC 7518 §6.2.1, §6.3.1)."""


class _KeySet(msgspec.Struct, frozen=True):
    keys: tuple[dict[str, Any], ...] = ()


def trust(mesh: MeshConfiguration, crls: str) -> Trust:
    """By *mesh*, with *crls* (PEM). Foreign roots are anchors that can vouch for their own trust domain alone, as those
    that sidecars go by (docs/decisions/0046)."""
    _, *aliases = mesh.own_domains
    bundles = mesh.federation.trust_domains if isinstance(mesh.federation, Bundles) else {}
    foreign = tuple(
        Foreign(domain, der(roots), _written(token_keys(bundles[domain.name])))
        for domain, roots in anchors(bundles).items()
    )
    return Trust(tuple(aliases), foreign, tuple(each.public_bytes(Encoding.DER) for each in crls_of(crls)))


def token_keys(bundle: str) -> tuple[dict[str, str], ...]:
    """The keys in a *bundle* of the configuration that verify JWT-SVIDs, as JWKs of public members alone. What is none
    of those is passed over, as SPIFFE Trust Domain and Bundle §4.2 wants it; in PEM there are none."""
    if not bundle.lstrip().startswith("{"):
        return ()
    keys = msgspec.json.decode(bundle, type=_KeySet).keys
    usable = (each for each in keys if each.get("use") == "jwt-svid" and each.get("kty") in _KINDS)
    public = ({name: each[name] for name in _PUBLIC if isinstance(each.get(name), str)} for each in usable)
    return tuple(each for each in public if each.get("kid") and _is_readable(each))


def _is_readable(key: dict[str, str]) -> bool:
    """One that is not keeps clients from all the others."""
    try:
        jwt.PyJWK(key)
    except (jwt.PyJWTError, ValueError, NotImplementedError):  # the last for the algorithm `none`
        return False
    return True


def _written(keys: tuple[dict[str, str], ...]) -> bytes:
    return msgspec.json.encode({"keys": keys}) if keys else b""
