"""Pack images from the machine's files, and import them into the node's container runtime. Shell."""

import hashlib
import importlib.util
import io
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from launcher import builds, images
from launcher.configuration import PAUSE_IMAGE
from launcher.images import Image
from launcher.layout import CONTAINERD_SOCKET, IMPORTED
from proa.errors import Invalid
from proa.mesh import MeshConfiguration


def own_images() -> tuple[Image, ...]:
    """Every image of the cluster but Proa's own, whose build takes a minute."""
    envoy = _envoy()
    listing = _output("ldd", str(envoy))
    busybox = _found("busybox")
    return (
        images.pause_image(PAUSE_IMAGE, builds.built(builds.PAUSE)),
        images.dns_image(builds.built(builds.COREDNS)),
        images.busybox_image(busybox, _output(str(busybox), "--list").split(), builds.built(builds.PEER)),
        images.envoy_image(MeshConfiguration().proxy.image, envoy, images.libraries(listing)),
    )


def import_image(image: Image) -> bool:
    """Make *image* known to the kubelet. False if the node has it already, of the same files."""
    content = repr((image, [_state(file) for file in image.files.values()]))

    def packed_and_imported() -> None:
        with tempfile.TemporaryDirectory() as directory:
            archive = Path(directory) / "image.tar"
            _pack(image, archive)
            _import(archive)

    return _once(image.name, content, packed_and_imported)


def import_archive(name: str, archive: Path) -> bool:
    """The same for the image *name* in a docker *archive*, whose file name tells its content."""
    return _once(name, archive.name, lambda: _import(archive))


def _import(archive: Path) -> None:
    runtime = ("ctr", "--address", str(CONTAINERD_SOCKET), "--namespace", "k8s.io")
    subprocess.run([*runtime, "images", "import", archive], check=True, stdout=subprocess.DEVNULL)


def _once(name: str, content: str, act: Callable[[], None]) -> bool:
    """Do *act* unless it was done for the same *name* and *content* since this cluster was started."""
    record = IMPORTED / hashlib.sha256(name.encode()).hexdigest()[:16]
    if record.exists() and record.read_text() == content:
        return False
    act()
    IMPORTED.mkdir(exist_ok=True)
    record.write_text(content)
    return True


def _state(file: Path) -> tuple[int, int]:
    """Of an image's *file*, instead of its hash: Envoy has 100 MB."""
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def _pack(image: Image, archive: Path) -> None:
    layer = archive.with_name(images.LAYER_FILE)
    with tarfile.open(layer, "w") as tar:
        for path in _directories(image):
            tar.addfile(_entry(path, tarfile.DIRTYPE, 0o1777 if path == "tmp" else 0o755))
        for path, file in image.files.items():
            entry = _entry(path, tarfile.REGTYPE, 0o755)
            entry.size = file.stat().st_size
            with file.open("rb") as content:
                tar.addfile(entry, content)
        for path, target in image.links.items():
            link = _entry(path, tarfile.SYMTYPE, 0o777)
            link.linkname = target
            tar.addfile(link)
    with layer.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    with tarfile.open(archive, "w") as tar:
        _add(tar, images.CONFIGURATION_FILE, images.configuration(image, digest, platform.machine()))
        tar.add(layer, arcname=images.LAYER_FILE)
        _add(tar, images.MANIFEST_FILE, images.manifest(image))


def _directories(image: Image) -> list[str]:
    """Parents before their children."""
    parents = {str(parent) for path in (*image.files, *image.links) for parent in PurePosixPath(path).parents}
    return sorted((parents | {"tmp"}) - {"."})


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode = kind, mode
    return entry


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _envoy() -> Path:
    found = importlib.util.find_spec("envoy")
    if found is None or not found.submodule_search_locations:
        raise Invalid("package envoy", "not installed", "pip install 'proa[demo]'")
    return Path(found.submodule_search_locations[0]) / "_bin" / "envoy"


def _found(program: str) -> Path:
    found = shutil.which(program)
    if found is None:
        raise Invalid(f"program {program}", "not installed", "`make system` installs it")
    return Path(found)


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
