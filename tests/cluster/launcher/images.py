"""Container images as values, and the documents of a docker archive that holds one. Pure.

An archive is a tar of `manifest.json`, the image's configuration and its layers: what `docker save` writes and
containerd imports.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONFIGURATION_FILE: Final = "config.json"
LAYER_FILE: Final = "layer.tar"
MANIFEST_FILE: Final = "manifest.json"
SEARCHED: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Image:
    """*files* by their path in the image, without the leading slash; *links* likewise, by what they point to."""

    name: str
    files: dict[str, Path]
    entrypoint: tuple[str, ...]
    links: dict[str, str]


def pause_image(name: str, program: Path) -> Image:
    return Image(name, {"pause": program}, ("/pause",), {})


def dns_image(program: Path) -> Image:
    return Image("localhost/coredns:1", {"coredns": program}, ("/coredns",), {})


def busybox_image(program: Path, applets: Iterable[str], peer: Path) -> Image:
    """A shell for tests, and `peer`, which serves and gets pages and answers every kind of probe."""
    links = {f"bin/{applet}": "busybox" for applet in applets if applet != "busybox"}
    return Image("localhost/busybox:1", {"bin/busybox": program, "bin/peer": peer}, (), links)


def envoy_image(name: str, program: Path, libraries: Iterable[Path]) -> Image:
    """Under the *name* of the published image: `envoy` is on PATH, as there."""
    files = {"usr/local/bin/envoy": program, **{str(library).lstrip("/"): library for library in libraries}}
    return Image(name, files, ("envoy",), {})


def libraries(listing: str) -> tuple[Path, ...]:
    """The files that *listing*, what `ldd` printed, names: shared libraries and their loader."""
    return tuple(Path(found) for found in re.findall(r"(?:=>\s+|^\s+)(/\S+)", listing, re.MULTILINE))


def configuration(image: Image, layer: str, machine: str) -> bytes:
    """*layer* is the SHA-256 of the layer's tar, *machine* the kernel's name of the architecture."""
    return _encoded(
        {
            "architecture": _ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "config": {"Env": [f"PATH={SEARCHED}"], "Entrypoint": list(image.entrypoint)},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        }
    )


def manifest(image: Image) -> bytes:
    return _encoded([{"Config": CONFIGURATION_FILE, "RepoTags": [image.name], "Layers": [LAYER_FILE]}])


def _encoded(document: object) -> bytes:
    return json.dumps(document, sort_keys=True).encode()
