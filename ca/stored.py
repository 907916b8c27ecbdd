"""The Secret `proa-ca` as a value: what the authority issues with. Pure. The root's own is `root_secret`'s.

Its keys are those of a `kubernetes.io/tls` Secret, so that what cert-manager or an admin's own tools write can
be read as it is: `tls.crt` (the issuing certificate, then those above it), `tls.key`, `ca.crt` (one or more roots). Or
those of Istio's `cacerts`
(https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/): what a mesh has issued with goes on.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from ca.certificates import PrivateKey, issuing_certificate, pem, readable_certificates
from ca.csr import CsrRejected, certifiable_key
from ca.key_uri import KeyElsewhere, key_elsewhere
from ca.material import Issuer, Material
from proa.errors import Invalid, Problems
from proa.json import Json
from proa.names import AUTHORITY, PREFIX, SYSTEM_NAMESPACE
from proa.trees import members

ISSUER_SECRET: Final = AUTHORITY
"""The issuing intermediate, its key and the roots. An admin may put their own here."""
SECRET_TYPE: Final = f"{PREFIX}/ca"
CERTIFICATES: Final = "tls.crt"
KEY: Final = "tls.key"
ROOTS: Final = "ca.crt"
KEY_URI: Final = "key.uri"
"""Of `proa-ca`, instead of a key: where the key lies (`key_uri`)."""
OTHER_CERTIFICATE: Final = "next.crt"
OTHER_KEY: Final = "next.key"
"""Of the Secret `proa-ca-root` (`root_secret`). Which of its two roots issues is what `proa-ca` says; their order says
nothing."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which key of a Secret holds what. *chain* is what stands between issuer and root, or "" where *certificates* does
    so itself."""

    certificates: str
    key: str
    roots: str
    chain: str = ""

    @property
    def names(self) -> frozenset[str]:
        return frozenset({self.certificates, self.key, self.roots, self.chain} - {""})


OWN: Final = Layout(CERTIFICATES, KEY, ROOTS)
ISTIO: Final = Layout("ca-cert.pem", "ca-key.pem", "root-cert.pem", "cert-chain.pem")
OTHER_ROOT: Final = Layout(OTHER_CERTIFICATE, OTHER_KEY, "")
_OURS: Final = OWN.names | ISTIO.names | OTHER_ROOT.names | {KEY_URI}
_CERTIFICATES: Final = "certificates in PEM"
_PRIVATE_KEY: Final = "an unencrypted private key in PEM, ECDSA or RSA"


def stored_material(secret: Json) -> Material:
    """What the Secret `proa-ca` holds. Raises Refused with everything that is wrong, and none of its bytes."""
    values, problems = secret_values(secret), Problems()
    layout = ISTIO if ISTIO.names & values.keys() else OWN
    if layout is ISTIO and OWN.names & values.keys():
        found = ", ".join(sorted((OWN.names | ISTIO.names) & values.keys()))
        problems.add([Invalid("data", found, f"either {CERTIFICATES}, {KEY}, {ROOTS} or Istio's names, not both")])
        problems.refuse(f"the Secret {ISSUER_SECRET}")
    issuer, roots = None, None
    with problems.collected():
        roots = stored_certificates(values, layout.roots)
    with problems.collected():
        issuer = stored_issuer(values, layout, roots or ())
    if issuer and roots:
        with problems.collected():
            return Material(issuer, roots)
    raise problems.refusal(f"the Secret {ISSUER_SECRET}")


def material_secret(material: Material) -> Json:
    """The Secret `proa-ca` for *material*. Never log it."""
    issuer = material.issuer
    data = {CERTIFICATES: pem(*issuer.certificates), ROOTS: pem(*material.roots), **written_place(issuer.key, KEY)}
    return authority_secret(ISSUER_SECRET, data)


def renewed_secret(secret: Json, fresh: Json) -> Json:
    """*secret* as the API server showed it, with the content of *fresh* instead of what we had put there. Never log
    it."""
    kept = {key: value for key, value in secret_values(secret).items() if key not in _OURS}
    return {**cast("dict[str, Json]", secret), "data": {**kept, **secret_values(fresh)}}


def reference(secret: Json) -> Json:
    """What an Event needs to be about *secret*, without what is in it."""
    metadata = secret.get("metadata") if isinstance(secret, dict) else None
    known = metadata if isinstance(metadata, dict) else {}
    kept: Json = {key: known[key] for key in ("name", "namespace", "uid") if key in known}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": kept}


def authority_secret(name: str, data: dict[str, str]) -> dict[str, Json]:
    """A Secret of the authority's that holds *data*. Never log it."""
    labels: Json = {"app.kubernetes.io/part-of": "proa", "app.kubernetes.io/managed-by": AUTHORITY}
    encoded: dict[str, Json] = {key: b64encode(value.encode()).decode("ascii") for key, value in data.items()}
    metadata: Json = {"name": name, "namespace": SYSTEM_NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": SECRET_TYPE, "data": encoded}


def written_place(key: PrivateKey | KeyElsewhere, place: str) -> dict[str, str]:
    """*key* for a Secret's data, at *place* or as the URI of where it lies. Never log it."""
    if isinstance(key, KeyElsewhere):
        return {KEY_URI: key.uri}
    return {place: written_key(key)}


def written_key(key: PrivateKey) -> str:
    """PKCS#8 in PEM. Never log it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def secret_values(secret: Json) -> Mapping[str, Json]:
    """The data of a Secret as the API server shows it."""
    return members(secret, "data")


def _bytes(values: Mapping[str, Json], key: str, allowed: str) -> bytes:
    value = values.get(key)
    if not isinstance(value, str) or not value:
        raise Invalid(f"data.{key}", "nothing", allowed)
    try:
        return b64decode(value, validate=True)
    except ValueError as error:
        raise Invalid(f"data.{key}", "no base64", allowed) from error


def stored_issuer(values: Mapping[str, Json], layout: Layout, roots: tuple[x509.Certificate, ...] = ()) -> Issuer:
    """What *layout* finds in a Secret's data. Raises Refused."""
    problems = Problems()
    certificates: tuple[x509.Certificate, ...] = ()
    key = None
    with problems.collected():
        certificates = stored_certificates(values, layout.certificates)
    with problems.collected():
        certificates += stored_certificates(values, layout.chain) if values.get(layout.chain) else ()
    with problems.collected():
        key = _key(values, layout, certificates)
    if certificates and key and not problems:
        with problems.collected(f"data.{layout.certificates}"):
            # Some tools end the chain with the root, which is among the roots already; some begin it with the issuer.
            above = tuple(each for each in dict.fromkeys(certificates[1:]) if each not in (certificates[0], *roots))
            return Issuer(issuing_certificate(certificates[0]), key, above)
    raise problems.refusal("the issuer")


def _key(
    values: Mapping[str, Json], layout: Layout, certificates: tuple[x509.Certificate, ...]
) -> PrivateKey | KeyElsewhere | None:
    if KEY_URI not in values or layout is OTHER_ROOT:
        return stored_key(values, layout.key)
    if layout.key in values:
        raise Invalid("data", f"{layout.key} and {KEY_URI}", "one of them")
    uri = _bytes(values, KEY_URI, "a PKCS #11 URI").decode("utf-8", "replace").strip()
    return key_elsewhere(uri, issuing_certificate(certificates[0]).public_key) if certificates else None


def stored_certificates(values: Mapping[str, Json], key: str) -> tuple[x509.Certificate, ...]:
    """Raises Invalid, with none of the bytes."""
    content = _bytes(values, key, _CERTIFICATES)
    try:
        return readable_certificates(content)
    except ValueError as error:
        # What stands there is not shown: somebody may have put the key under the wrong name.
        raise Invalid(f"data.{key}", f"{len(content)} bytes that are none", _CERTIFICATES) from error


def stored_text(values: Mapping[str, Json], place: str) -> str:
    """What stands at *place* of a Secret's data. Raises Invalid, with none of its bytes."""
    return _bytes(values, place, "text").decode("utf-8", "replace")


def stored_key(values: Mapping[str, Json], place: str) -> PrivateKey:
    """The key at *place* of a Secret's data. Raises Invalid, with none of its bytes."""
    content = _bytes(values, place, _PRIVATE_KEY)
    try:
        key = load_pem_private_key(content, None, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, rsa.RSAPrivateKey):
            # Its size first: whether its numbers fit each other takes four seconds to find out at 8192 bits.
            certifiable_key(key.public_key())
            key = load_pem_private_key(content, None)
    except CsrRejected as error:
        raise Invalid(f"data.{place}", error.found, error.allowed) from error
    except TypeError as error:
        raise Invalid(f"data.{place}", "an encrypted key", _PRIVATE_KEY) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid(f"data.{place}", f"{len(content)} bytes that are none", _PRIVATE_KEY) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Invalid(f"data.{place}", type(key).__name__.removeprefix("_"), _PRIVATE_KEY)
    return key
