"""The authority's two Secrets as values: what it issues with, and the root's key that renews it. Pure.

The keys in both are those of a `kubernetes.io/tls` Secret, so that what cert-manager or an admin's own tools write can
be read as it is: `tls.crt` (the issuing certificate, then those above it), `tls.key`, `ca.crt` (one or more roots).
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from ca.certificates import PrivateKey, issuing_certificate, pem
from ca.material import Issuer, Material
from proa.errors import Invalid, Problems
from proa.json import Json
from proa.names import AUTHORITY, PREFIX, SYSTEM_NAMESPACE

ISSUER_SECRET: Final = AUTHORITY
"""The issuing intermediate, its key and the roots. An admin may put their own here."""
ROOT_SECRET: Final = f"{AUTHORITY}-root"
"""The root and its key, which sign intermediates and nothing else; while a root is rotated, the other one and its key
beside it. An admin may take it offline."""
SECRET_TYPE: Final = f"{PREFIX}/ca"
CERTIFICATES: Final = "tls.crt"
KEY: Final = "tls.key"
ROOTS: Final = "ca.crt"
OTHER_CERTIFICATE: Final = "next.crt"
OTHER_KEY: Final = "next.key"
"""Of the Secret `proa-ca-root`. Which of its two roots issues is what `proa-ca` says; their order says nothing."""

_CERTIFICATES: Final = "certificates in PEM"
_PRIVATE_KEY: Final = "an unencrypted private key in PEM, ECDSA or RSA"


def stored_material(secret: Json) -> Material:
    """What the Secret `proa-ca` holds. Raises Refused with everything that is wrong, and none of its bytes."""
    values, problems = _values(secret), Problems()
    issuer, roots = None, None
    with problems.collected():
        roots = _certificates(values, ROOTS)
    with problems.collected():
        issuer = _issuer(values, roots or ())
    if issuer and roots:
        with problems.collected():
            return Material(issuer, roots)
    raise problems.refusal(f"the Secret {ISSUER_SECRET}")


def stored_roots(secret: Json) -> tuple[Issuer, ...]:
    """The roots of the Secret `proa-ca-root`, one or two, with their keys. Raises Refused."""
    values, problems = _values(secret), Problems()
    found: list[Issuer] = []
    with problems.collected():
        found.append(_issuer(values, ()))
    if OTHER_CERTIFICATE in values:
        with problems.collected():
            found.append(_issuer(values, (), OTHER_CERTIFICATE, OTHER_KEY))
    problems.refuse(f"the Secret {ROOT_SECRET}")
    return tuple(found)


def material_secret(material: Material) -> Json:
    """The Secret `proa-ca` for *material*. Never log it."""
    issuer = material.issuer
    data = {CERTIFICATES: pem(*issuer.certificates), KEY: _written(issuer.key), ROOTS: pem(*material.roots)}
    return _secret(ISSUER_SECRET, data)


def roots_secret(roots: tuple[Issuer, ...]) -> Json:
    """The Secret `proa-ca-root` for one root or two. Never log it."""
    places = ((CERTIFICATES, KEY), (OTHER_CERTIFICATE, OTHER_KEY))
    data: dict[str, str] = {}
    for root, (certificate, key) in zip(roots, places, strict=False):
        data |= {certificate: pem(*root.certificates), key: _written(root.key)}
    return _secret(ROOT_SECRET, data)


def renewed_secret(secret: Json, fresh: Json) -> Json:
    """*secret* as the API server showed it, with the content of *fresh* instead of what we had put there. Never log
    it."""
    whole, ours = cast("dict[str, Json]", secret), {CERTIFICATES, KEY, ROOTS, OTHER_CERTIFICATE, OTHER_KEY}
    kept = {key: value for key, value in _values(secret).items() if key not in ours}
    return {**whole, "data": {**kept, **_values(fresh)}}


def reference(secret: Json) -> Json:
    """What an Event needs to be about *secret*, without what is in it."""
    metadata = secret.get("metadata") if isinstance(secret, dict) else None
    known = metadata if isinstance(metadata, dict) else {}
    kept: Json = {key: known[key] for key in ("name", "namespace", "uid") if key in known}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": kept}


def _secret(name: str, data: dict[str, str]) -> Json:
    labels: Json = {"app.kubernetes.io/part-of": "proa", "app.kubernetes.io/managed-by": AUTHORITY}
    encoded: dict[str, Json] = {key: b64encode(value.encode()).decode("ascii") for key, value in data.items()}
    metadata: Json = {"name": name, "namespace": SYSTEM_NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": SECRET_TYPE, "data": encoded}


def _written(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def _values(secret: Json) -> Mapping[str, Json]:
    data = secret.get("data") if isinstance(secret, dict) else None
    return data if isinstance(data, dict) else {}


def _bytes(values: Mapping[str, Json], key: str, allowed: str) -> bytes:
    value = values.get(key)
    if not isinstance(value, str) or not value:
        raise Invalid(f"data.{key}", "nothing", allowed)
    try:
        return b64decode(value, validate=True)
    except ValueError as error:
        raise Invalid(f"data.{key}", "no base64", allowed) from error


def _issuer(
    values: Mapping[str, Json], roots: tuple[x509.Certificate, ...], place: str = CERTIFICATES, key_place: str = KEY
) -> Issuer:
    problems = Problems()
    certificates: tuple[x509.Certificate, ...] = ()
    key = None
    with problems.collected():
        certificates = _certificates(values, place)
    with problems.collected():
        key = _private_key(values, key_place)
    if certificates and key:
        with problems.collected(f"data.{place}"):
            # Some tools end the chain with the root; it is among the roots already.
            above = tuple(each for each in certificates[1:] if each not in roots)
            return Issuer(issuing_certificate(certificates[0]), key, above)
    raise problems.refusal("the issuer")


def _certificates(values: Mapping[str, Json], key: str) -> tuple[x509.Certificate, ...]:
    content = _bytes(values, key, _CERTIFICATES)
    try:
        found = tuple(x509.load_pem_x509_certificates(content))
        for certificate in found:
            # Read late by the library, and named by it in no way a user could mend.
            _ = certificate.extensions, certificate.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion) as error:
        # What stands there is not shown: somebody may have put the key under the wrong name.
        raise Invalid(f"data.{key}", f"{len(content)} bytes that are none", _CERTIFICATES) from error
    return found


def _private_key(values: Mapping[str, Json], place: str) -> PrivateKey:
    content = _bytes(values, place, _PRIVATE_KEY)
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError as error:
        raise Invalid(f"data.{place}", "an encrypted key", _PRIVATE_KEY) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid(f"data.{place}", f"{len(content)} bytes that are none", _PRIVATE_KEY) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Invalid(f"data.{place}", type(key).__name__.removeprefix("_"), _PRIVATE_KEY)
    return key
