"""The caBundle of a registration: which one the trust bundle asks for, and the one field that is applied. Pure."""

from typing import Final

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from proa.errors import Invalid
from proa.json import Json
from webhook.decoding import converted

FIELD_MANAGER: Final = "proa-webhook"
_LARGEST: Final = 64
"""Roots: a rotation has two, and each entry of the registration repeats all of them."""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """admissionregistration.k8s.io/v1 ServiceReference."""

    namespace: str
    name: str
    path: str = "/"
    port: int = 443


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the API server calls an entry: by *service* or by *url*, trusting *ca_bundle* (PEM; base64 on the wire)."""

    service: Service | None = None
    url: str | None = None
    ca_bundle: bytes = msgspec.field(name="caBundle", default=b"")


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    client_config: ClientConfig


class Metadata(msgspec.Struct, frozen=True):
    name: str


class Registration(msgspec.Struct, frozen=True):
    """What the webhook reads of its MutatingWebhookConfiguration."""

    metadata: Metadata
    webhooks: tuple[Entry, ...] = ()


def registered(found: Json) -> Registration:
    """The view of a MutatingWebhookConfiguration as the API server sends it. Raises Invalid."""
    return converted(found, Registration, "")


def ca_bundle(pem: bytes) -> bytes:
    """*pem* as a caBundle: every root once, in an order that does not depend on the file's, which the kubelet shuffles.

    Raises Invalid: a registration with an empty or broken bundle would cut the webhook off.
    """
    try:
        roots = load_pem_x509_certificates(pem)
    except ValueError as error:
        raise Invalid("trust bundle", "no certificate that can be read", "PEM certificates") from error
    by_der = {root.public_bytes(Encoding.DER): root for root in roots}
    if len(by_der) > _LARGEST:
        raise Invalid("trust bundle", f"{len(by_der)} roots", f"at most {_LARGEST}")
    return b"".join(by_der[der].public_bytes(Encoding.PEM) for der in sorted(by_der))


def trusting(registration: Registration, bundle: bytes) -> Json:
    """What a server-side apply sends so that every entry trusts *bundle*: that field, no other. None where all do."""
    if not registration.webhooks or all(entry.client_config.ca_bundle == bundle for entry in registration.webhooks):
        return None
    encoded: str = msgspec.to_builtins(bundle)
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": registration.metadata.name},
        "webhooks": [{"name": entry.name, "clientConfig": {"caBundle": encoded}} for entry in registration.webhooks],
    }
