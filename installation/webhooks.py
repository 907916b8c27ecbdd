"""A revision's webhook: its Deployment, its Service and its registration. Pure."""

from typing import Final, cast

from installation.configuration import mesh
from installation.metadata import inside, own, selecting
from installation.noted import Fields, Tree
from installation.options import Options
from installation.pods import Process
from proa import names
from proa.json import Json
from webhook.registration import SERVICE_PORT, Revision, Trust, registration
from webhook.settings import REVISION, TRUST

COMPONENT: Final = "webhook"
_PORT: Final = "webhook"
_VOLUME: Final = "serving"
_SERVING_SECONDS: Final = 86400
"""Of the serving certificate; the kubelet renews it before."""


def webhook(options: Options) -> Process:
    return Process(
        metadata=own(options, options.webhook, COMPONENT),
        command=names.WEBHOOK,
        environment=[
            {"name": REVISION, "value": options.revision},
            {"name": TRUST, "value": options.trust.value},
        ],
        ports=[{"name": _PORT, "containerPort": names.WEBHOOK_PORT, "protocol": "TCP"}],
        volumes=[_serving(options)],
        mounts=[{"name": _VOLUME, "mountPath": names.SERVING_DIRECTORY, "readOnly": True}],
    )


def service(options: Options) -> Fields:
    """What the API server calls."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": inside(own(options, options.webhook, COMPONENT)),
        "spec": {
            "selector": selecting(options.webhook),
            "ports": [{"name": "https", "port": SERVICE_PORT, "targetPort": _PORT, "protocol": "TCP"}],
        },
    }


def registered(options: Options) -> Fields:
    """The registration with this installation's labels. It has no caBundle: that field is the webhook's own."""
    bare = cast("dict[str, Json]", registration(Revision(options.revision), options.trust, mesh(options)))
    metadata = own(options, options.webhook, COMPONENT)
    return {**bare, "metadata": {**cast("dict[str, Json]", bare["metadata"]), **metadata}}


def secret(options: Options) -> str:
    """The Secret of the serving certificate under cert-manager."""
    return f"{options.webhook}-serving"


def _serving(options: Options) -> Tree:
    """The key and the certificate of its HTTPS port, and what signs them."""
    match options.trust:
        case Trust.CERT_MANAGER:
            return {"name": _VOLUME, "secret": {"secretName": secret(options)}}
        case Trust.PROA:
            return {"name": _VOLUME, "projected": {"sources": [_certificate(), _roots()]}}


def _certificate() -> Tree:
    """The kubelet makes the key, has it signed by `ca` and renews it (core/v1 PodCertificateProjection)."""
    return {
        "podCertificate": {
            "signerName": names.SERVING_SIGNER,
            "keyType": "ECDSAP256",
            "credentialBundlePath": names.CREDENTIAL_BUNDLE,
            "maxExpirationSeconds": _SERVING_SECONDS,
        }
    }


def _roots() -> Tree:
    # An empty selector takes every bundle of the signer, an absent one none.
    return {"clusterTrustBundle": {"signerName": names.SIGNER, "labelSelector": {}, "path": names.TRUST_BUNDLE}}
