"""A service account's Secret: what it is called, what is in it, and what stands in one that is there. Pure."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from ca.certificates import Chain, PrivateKey, Validity, extension, validity
from kube.calls import Selectors
from kube.resources import Object
from proa.errors import Invalid
from proa.json import Json
from proa.mesh import Vocabulary
from proa.names import AUTHORITY, PREFIX

CHAIN: Final = "cert-chain.pem"
KEY: Final = "key.pem"
ROOTS: Final = "root-cert.pem"
"""Citadel's own names (istio 1.4, security/pkg/k8s/controller)."""
_LABELS: Final = {"app.kubernetes.io/managed-by": AUTHORITY, "app.kubernetes.io/component": "service-account"}
OURS: Final = Selectors(label=",".join(f"{key}={value}" for key, value in _LABELS.items()))
"""Takes no Secret that somebody else made."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What a Secret is called: *prefix* before the account's name, its *type*, and the *annotation* that names it."""

    prefix: str
    type: str
    annotation: str

    def secret(self, account: str) -> str:
        return f"{self.prefix}.{account}"


NAMINGS: Final[Mapping[Vocabulary, Naming]] = {
    Vocabulary.PROA: Naming("proa", f"{PREFIX}/key-and-cert", f"{PREFIX}/service-account.name"),
    Vocabulary.ISTIO: Naming("istio", "istio.io/key-and-cert", "istio.io/service-account.name"),
}


@dataclass(frozen=True, slots=True)
class Account:
    """A service account; its namespace stands beside it."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Held:
    """A leaf for the names *uris*, whose chain ends with *top*, below a root; and the *roots* that are told, as PEM."""

    uris: tuple[str, ...]
    serial: int
    validity: Validity
    top: x509.Certificate
    roots: str


@dataclass(frozen=True, slots=True)
class Spoilt:
    """It holds no key with a certificate of its own."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A Secret that is there, for the account with *account_uid*. *version* is its resourceVersion."""

    name: str
    account_uid: str
    version: str
    content: "Content"


Content: TypeAlias = Held | Spoilt


def kept(secret: Object) -> Kept:
    """What the API server shows, without its key."""
    metadata = _mapping(secret.get("metadata"))
    owners = metadata.get("ownerReferences")
    uids = [str(_mapping(each).get("uid")) for each in owners] if isinstance(owners, list) else []
    uid = uids[0] if len(uids) == 1 else ""
    version, name = str(metadata.get("resourceVersion", "")), str(metadata.get("name", ""))
    return Kept(name, uid, version, _content(_mapping(secret.get("data"))))


def new_secret(namespace: str, account: Account, naming: Naming, data: Json) -> Json:
    """The Secret for *account* with *data*. Never log it. It goes with the account, of which it is a dependent."""
    metadata: Json = {
        "name": naming.secret(account.name),
        "namespace": namespace,
        "labels": dict(_LABELS),
        "annotations": {naming.annotation: account.name},
        "ownerReferences": [_owner(account)],
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": naming.type, "data": data}


def changed_secret(account: Account, version: str, data: Json) -> Json:
    """The merge patch that puts *data* into a Secret, if it is still of *version*. Never log it."""
    return {"metadata": {"resourceVersion": version, "ownerReferences": [_owner(account)]}, "data": data}


def credential(key: PrivateKey, chain: Chain, roots: str) -> Json:
    """The data of a Secret. Never log it."""
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    return {CHAIN: _encoded(chain.pem), KEY: _encoded(secret), **trust(roots)}


def trust(roots: str) -> dict[str, Json]:
    """The part of the data that tells whom to trust."""
    return {ROOTS: _encoded(roots)}


def _owner(account: Account) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "name": account.name, "uid": account.uid}


def _content(data: Mapping[str, Json]) -> Content:
    try:
        certificates = x509.load_pem_x509_certificates(_decoded(data, CHAIN))
        # Not ours where it is RSA, and so its numbers are not asked whether they fit each other: whoever may write this
        # Secret would have seconds of this process by some thousand bits.
        key = load_pem_private_key(_decoded(data, KEY), None, unsafe_skip_rsa_key_validation=True)
        leaf, roots = certificates[0], _decoded(data, ROOTS).decode("ascii")
        names, lived = extension(leaf, x509.SubjectAlternativeName), validity(leaf)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != leaf.public_key():
            return Spoilt()
    except (Invalid, ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion):
        return Spoilt()
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier) if names else []
    return Held(tuple(uris), leaf.serial_number, lived, certificates[-1], roots)


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")


def _decoded(data: Mapping[str, Json], key: str) -> bytes:
    """Raises ValueError."""
    value = data.get(key)
    return b64decode(value, validate=True) if isinstance(value, str) else b""


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
