"""A pod's volumes as real directories, written and swapped as the kubelet does. Shell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from demo.pod import Pod, PodCertificate, Projected, ProjectedSource, Volume, field_value
from discovery.directory import publish
from proa.errors import Invalid

_SECRET_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Sources:
    """Where contents of volumes come from that are not in the pod itself."""

    certificate: Callable[[Pod, PodCertificate], bytes]
    """Makes a key, has it certified and answers the credential bundle."""
    trust_bundle: Callable[[str], bytes]
    """The trust bundle of a signer."""
    config_maps: Mapping[str, Path]
    """Directories that somebody else keeps current."""


VolumePaths: TypeAlias = dict[str, Path]


def prepare(pod: Pod, addresses: tuple[str, ...], directory: Path, sources: Sources) -> VolumePaths:
    """Make every volume of *pod* below *directory*. Raises Invalid for a volume of a kind the demo does not know."""
    paths: VolumePaths = {}
    for volume in pod.spec.volumes:
        path = paths[volume.name] = directory / volume.name
        match volume:
            case Volume(empty_dir=dict()):
                path.mkdir(parents=True)
                path.chmod(0o777)
            case Volume(downward_api=downward) if downward is not None:
                items = {item.path: item.field_ref.field_path for item in downward.items}
                files = {file: field_value(pod, field, addresses).encode() for file, field in items.items()}
                publish(path, files)
            case Volume(projected=projected) if projected is not None:
                project(pod, volume, path, sources)
            case Volume(config_map=config_map) if config_map is not None:
                paths[volume.name] = _config_map(config_map.name, sources)
            case _:
                allowed = "emptyDir, downwardAPI, projected or configMap"
                raise Invalid(f"volumes.{volume.name}", "another kind of volume", allowed)
    return paths


def project(pod: Pod, volume: Volume, path: Path, sources: Sources) -> None:
    """Fill the projected *volume* anew, for instance with another certificate, and swap it into place."""
    projected = volume.projected or Projected(sources=())
    files = dict(_projection(pod, source, sources) for source in projected.sources)
    publish(path, files, mode=_SECRET_MODE, owner=_reader(pod, volume))


def _projection(pod: Pod, source: ProjectedSource, sources: Sources) -> tuple[str, bytes]:
    match source:
        case ProjectedSource(pod_certificate=PodCertificate() as wanted):
            return wanted.credential_bundle_path, sources.certificate(pod, wanted)
        case ProjectedSource(cluster_trust_bundle=wanted) if wanted is not None:
            return wanted.path, sources.trust_bundle(wanted.signer_name)
        case _:
            raise Invalid("projected.sources", "another source", "podCertificate or clusterTrustBundle")


def _reader(pod: Pod, volume: Volume) -> int:
    """The user of the containers that mount *volume*: its secrets are theirs alone."""
    readers = {
        container.security_context.run_as_user
        for container in pod.containers
        if any(mount.name == volume.name for mount in container.volume_mounts)
    }
    if len(readers) != 1:
        raise Invalid(f"volumes.{volume.name}", f"mounted by users {sorted(readers)}", "one user")
    return readers.pop()


def _config_map(name: str, sources: Sources) -> Path:
    if name not in sources.config_maps:
        raise Invalid("configMap", name, ", ".join(sources.config_maps) or "none exists")
    return sources.config_maps[name]
