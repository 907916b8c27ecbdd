"""The identity volume holds certificate and roots together, wherever the roots come from."""

import json
from typing import Any

import pytest

from proa import names
from proa.mesh import mesh_configuration
from proxy.bootstrap import pod_files
from webhook.volumes import volumes

CERTIFICATE = {
    "podCertificate": {
        "signerName": "proa.dev/workload",
        "keyType": "ECDSAP256",
        "credentialBundlePath": "credential-bundle.pem",
        "maxExpirationSeconds": 86400,
    }
}
BUNDLE = {"clusterTrustBundle": {"signerName": "proa.dev/workload", "labelSelector": {}, "path": "trust-bundle.pem"}}
ITEMS = [{"key": "root-cert.pem", "path": "trust-bundle.pem"}]


def sources(document: str) -> Any:
    configuration = mesh_configuration(document)
    volume: Any = volumes(configuration, pod_files(configuration))[names.IDENTITY_VOLUME]
    return json.loads(json.dumps(volume["projected"]["sources"]))


BUNDLES = {"key": "trust-bundles.json", "path": "trust-bundles.json"}
LISTED = {"key": "ca-crl.pem", "path": "crl.pem"}


@pytest.mark.parametrize(
    ("document", "roots"),
    [
        ("{}", [BUNDLE]),
        ("authority: {roots: {kind: config-maps}}", [BUNDLE]),
        (
            "authority: {roots: {kind: config-maps, revocation: crl}}",
            [BUNDLE, {"configMap": {"name": "proa-roots", "items": [LISTED]}}],
        ),
        (
            "authority: {roots: {kind: config-maps, sidecars: config-map, revocation: crl}}",
            [{"configMap": {"name": "proa-roots", "items": [*ITEMS, LISTED]}}],
        ),
        (
            "authority: {roots: {kind: config-maps, sidecars: config-map}}",
            [{"configMap": {"name": "proa-roots", "items": ITEMS}}],
        ),
        (
            "{vocabulary: istio, authority: {roots: {kind: config-maps, sidecars: config-map}}}",
            [{"configMap": {"name": "istio-ca-root-cert", "items": ITEMS}}],
        ),
        (
            "{federation: {kind: bundles}, authority: {roots: {kind: config-maps}}}",
            [BUNDLE, {"configMap": {"name": "proa-roots", "items": [BUNDLES]}}],
        ),
    ],
)
def test_the_roots_stand_beside_the_certificate_in_one_volume(document: str, roots: Any) -> None:
    assert sources(document) == [CERTIFICATE, *roots]
