"""cert-manager's CertificateRequest for an issuer of the authority's, and what its status comes to. Pure.

Fields and conditions: cert-manager.io/v1, docs/usage/certificaterequest.
"""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec
from cryptography import x509

from ca.profile import INTERMEDIATE_LIFETIME
from ca.upstream import REQUEST_SECRET, requested, told
from kube.resources import CERTIFICATE_REQUESTS
from proa.errors import Invalid, shown
from proa.json import Json
from proa.names import AUTHORITY, SYSTEM_NAMESPACE
from proa.upstreams import CertManager

_HOURS: Final = int(INTERMEDIATE_LIFETIME.total_seconds()) // 3600
_LONGEST_MESSAGE: Final = 300


class _Condition(msgspec.Struct, frozen=True):
    type: str
    status: str = ""
    reason: str = ""
    message: str = ""


class _Status(msgspec.Struct, frozen=True):
    conditions: tuple[_Condition, ...] = ()
    certificate: bytes = b""
    ca: bytes = b""


class _Request(msgspec.Struct, frozen=True):
    status: _Status = _Status()


@dataclass(frozen=True, slots=True)
class Pending:
    """Nobody has answered yet."""


@dataclass(frozen=True, slots=True)
class Declined:
    """It will never be signed; *reason* in cert-manager's words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Signed:
    """The issuer's certificate, then those above, as far as they are told."""

    certificates: tuple[x509.Certificate, ...]


Answer: TypeAlias = Pending | Declined | Signed


def certificate_request(waiting: Json, upstream: CertManager) -> dict[str, Json]:
    """For the request in the Secret *waiting*, as the API server shows it, with which it goes: Kubernetes removes what
    has lost its owner. Named after what is asked of whom, so that whoever asks again finds it. Raises Invalid."""
    text = requested(waiting).encode()
    labels: Json = {"app.kubernetes.io/part-of": "proa", "app.kubernetes.io/managed-by": AUTHORITY}
    issuer = {"name": upstream.issuer, "kind": upstream.issuer_kind, "group": upstream.issuer_group}
    name = sha256("\0".join((*issuer.values(), text.decode())).encode()).hexdigest()[:16]
    return {
        "apiVersion": CERTIFICATE_REQUESTS.api_version,
        "kind": CERTIFICATE_REQUESTS.kind,
        "metadata": {
            "name": f"{AUTHORITY}-{name}",
            "namespace": SYSTEM_NAMESPACE,
            "labels": labels,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Secret", **_owner(waiting)}],
        },
        "spec": {
            "request": b64encode(text).decode("ascii"),
            "isCA": True,
            # What the request says of itself: cert-manager refuses one that says anything else.
            "usages": ["cert sign", "crl sign"],
            "duration": f"{_HOURS}h",
            "issuerRef": {**issuer},
        },
    }


def _owner(waiting: Json) -> dict[str, Json]:
    match waiting:
        case {"metadata": {"name": name, "uid": uid}}:
            return {"name": name, "uid": uid}
        case _:
            raise Invalid(f"the Secret {REQUEST_SECRET}", "no uid", "one that the API server has stored")


def answer(found: Json) -> Answer:
    """Of a CertificateRequest as the API server shows it. Raises Invalid for one that cannot be read."""
    try:
        status = msgspec.convert(found, _Request).status
    except msgspec.ValidationError as error:
        raise Invalid("the CertificateRequest", str(error), "what cert-manager.io/v1 describes") from error
    for condition in status.conditions:
        match condition:
            case _Condition("Denied" | "InvalidRequest", "True") | _Condition("Ready", "False", "Failed"):
                return Declined(_said(condition))
            case _:
                pass
    ready = any(each.type == "Ready" and each.status == "True" for each in status.conditions)
    return Signed(_certificates(status)) if ready else Pending()


def _said(condition: _Condition) -> str:
    kind = condition.reason if condition.type == "Ready" else condition.type
    return f"{kind}: {shown(condition.message, _LONGEST_MESSAGE)}" if condition.message else kind


def _certificates(status: _Status) -> tuple[x509.Certificate, ...]:
    """Some issuers end the chain with what they tell as `ca`, too, and some tell no `ca`."""
    if not status.certificate:
        raise Invalid("status.certificate", "nothing", "the issuer's certificate")
    return told((each for each in (status.certificate, status.ca) if each), "status.certificate")
