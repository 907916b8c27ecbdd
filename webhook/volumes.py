"""The volumes of a sidecar: its identity, its bootstrap, and what discovery tells it. Pure."""

from collections.abc import Iterable, Iterator

from proa import names
from proa.json import Json
from proa.mesh import FileDiscovery, MeshConfiguration, NoDiscovery
from proa.rootsmap import BUNDLES_KEY, CRL_KEY, ROOTS_KEY, federates, map_name, mounts_map, revokes
from proxy.bootstrap import PodFile


def mounts(volumes: Iterable[str]) -> list[Json]:
    """Where the sidecar sees *volumes*, given by name."""
    directories = {
        names.IDENTITY_VOLUME: names.IDENTITY_DIRECTORY,
        names.BOOTSTRAP_VOLUME: names.BOOTSTRAP_DIRECTORY,
        names.DISCOVERY_VOLUME: names.DISCOVERY_DIRECTORY,
    }
    return [{"name": volume, "mountPath": directories[volume], "readOnly": True} for volume in volumes]


def volumes(configuration: MeshConfiguration, files: Iterable[PodFile]) -> dict[str, Json]:
    """By name. The kubelet makes the key, asks the signer and renews: no agent of ours is in the pod."""
    every: dict[str, Json] = {
        names.IDENTITY_VOLUME: {
            "name": names.IDENTITY_VOLUME,
            "projected": {"sources": [_certificate(configuration), *_trust(configuration)]},
        },
        names.BOOTSTRAP_VOLUME: {
            "name": names.BOOTSTRAP_VOLUME,
            "downwardAPI": {"items": [_item(file) for file in files]},
        },
    }
    match configuration.discovery:
        case NoDiscovery():
            return every
        case FileDiscovery(config_map=name):
            return {**every, names.DISCOVERY_VOLUME: {"name": names.DISCOVERY_VOLUME, "configMap": {"name": name}}}


def _certificate(configuration: MeshConfiguration) -> Json:
    return {
        "podCertificate": {
            "signerName": names.SIGNER,
            "keyType": "ECDSAP256",
            "credentialBundlePath": names.CREDENTIAL_BUNDLE,
            "maxExpirationSeconds": configuration.certificate.lifetime_seconds,
        }
    }


def _trust(configuration: MeshConfiguration) -> Iterator[Json]:
    """In the volume of the certificate, so that all of it changes at once (docs/decisions/0020)."""
    items: list[Json] = []
    if mounts_map(configuration):
        items.append({"key": ROOTS_KEY, "path": names.TRUST_BUNDLE})
    else:
        yield _trust_bundle()
    if revokes(configuration):
        items.append({"key": CRL_KEY, "path": names.CRL_FILE})
    if federates(configuration):
        items.append({"key": BUNDLES_KEY, "path": names.BUNDLES_FILE})
    if items:
        yield {"configMap": {"name": map_name(configuration), "items": items}}


def _trust_bundle() -> Json:
    # An empty selector takes every bundle of the signer, an absent one none (core/v1 ClusterTrustBundleProjection).
    return {"clusterTrustBundle": {"signerName": names.SIGNER, "labelSelector": {}, "path": names.TRUST_BUNDLE}}


def _item(file: PodFile) -> Json:
    return {"path": file.name, "fieldRef": {"fieldPath": f"metadata.annotations['{file.annotation}']"}}
