"""Build Proa's own image from its Dockerfile, without a registry: over a base that debootstrap makes. Shell."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from launcher.builds import cache
from launcher.failures import Unsuitable
from launcher.machine import run
from launcher.sources import Mirror, code_name, context, mirror, pip_settings

_REPOSITORY: Final = Path(__file__).parents[3]
_NEXT: Final = Path(__file__).parents[1] / "next"
"""The context of another version's image."""
_BUNDLE: Final = "/etc/ssl/certs/machine.crt"
"""In the base: the certificates that the machine's pip trusts."""
_MOST_IMAGES: Final = 100
"""In buildah's store, which keeps every layer that it ever made: some gigabytes. The next build makes its own anew."""


def product_archive(name: str) -> Path:
    """A docker archive of Proa's image, *name*; built unless the cache has one of the same content."""
    base = _base()
    return _kept("product", _digest(name, base), lambda partial: _build(name, base, partial))


def next_archive(name: str, version: str, product: Path) -> Path:
    """The same for another *version*: the image in *product* but for what says which one it is."""
    content = f"{name} {version} {product.name}\n".encode() + (_NEXT / "Dockerfile").read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    return _kept("next", digest, lambda partial: _build_next(name, version, product, partial))


def _kept(kind: str, digest: str, build: Callable[[Path], None]) -> Path:
    """The archive of a *kind* that the cache has, if it is of that *digest*; or what *build* writes."""
    archive = cache() / "images" / f"{kind}-{digest}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix="partial.") as directory:
            partial = Path(directory) / archive.name
            build(partial)
            for older in archive.parent.glob(f"{kind}-*.tar"):
                older.unlink()
            partial.replace(archive)
    return archive


def _build(name: str, base: Path, archive: Path) -> None:
    if len(_buildah("images", "--all", "--quiet").splitlines()) > _MOST_IMAGES:
        _buildah("rmi", "--all", "--force")
    parent = _imported(base)
    ignore = ("--ignorefile", str(_REPOSITORY / ".dockerignore"))
    # Layers are kept: only what follows the first changed file is made again.
    _build_in(_REPOSITORY, name, archive, "--layers", "--build-arg", f"BASE={parent}", *ignore)


def _build_next(name: str, version: str, product: Path, archive: Path) -> None:
    parent = _buildah("pull", "--quiet", f"docker-archive:{product}").strip()
    _build_in(_NEXT, name, archive, "--build-arg", f"BASE={parent}", "--build-arg", f"VERSION={version}")


def _build_in(directory: Path, name: str, archive: Path, *options: str) -> None:
    _buildah("build", "--isolation", "chroot", "--pull-never", *options, "--tag", name, str(directory))
    _buildah("push", "--quiet", name, f"docker-archive:{archive}:{name}")


def _imported(base: Path) -> str:
    """The name in buildah's store of the image that is *base* alone."""
    name = f"localhost/debian:{base.stem}"
    if name in _buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines():
        return name
    container = _buildah("from", "scratch").strip()
    try:
        _buildah("add", "--quiet", container, str(base), "/")
        _buildah("commit", "--quiet", container, name)
    finally:
        _buildah("rm", container)
    return name


def _buildah(*arguments: str) -> str:
    store = cache() / "buildah"
    places = ("--root", str(store / "root"), "--runroot", str(store / "run"))
    return run(("buildah", *places, *arguments))


def _base() -> Path:
    """A tar of the smallest Debian, as the machine's own packages give it."""
    source = _mirror()
    certificates = os.environ.get("PIP_CERT", "")
    trusted = Path(certificates).read_bytes() if certificates else b""
    digest = hashlib.sha256(repr((source, trusted)).encode()).hexdigest()[:16]
    base = cache() / "images" / f"base-{digest}.tar"
    if not base.exists():
        base.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base.parent, prefix="partial.") as directory:
            root, partial = Path(directory) / "root", Path(directory) / base.name
            run(("debootstrap", "--variant=minbase", source.suite, str(root), source.address))
            _trust(root, trusted)
            _shrink(root)
            run(("tar", "--create", "--file", str(partial), "--directory", str(root), "--one-file-system", "."))
            partial.replace(base)
    return base


def _trust(root: Path, certificates: bytes) -> None:
    if certificates:
        bundle = root / _BUNDLE.lstrip("/")
        bundle.parent.mkdir(parents=True, exist_ok=True)
        bundle.write_bytes(certificates)
        (root / "etc/pip.conf").write_text(pip_settings(_BUNDLE), encoding="utf-8")


def _shrink(root: Path) -> None:
    for waste in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
        shutil.rmtree(root / waste, ignore_errors=True)
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)


def _mirror() -> Mirror:
    suite = code_name(Path("/etc/os-release").read_text(encoding="utf-8"))
    targets = run(("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Identifier: Packages"))
    found = mirror(targets, suite)
    if found is None:
        raise Unsuitable(f"no package source for {suite or 'this system'}", "the image's base is made by debootstrap")
    return found


def _digest(name: str, base: Path) -> str:
    digest = hashlib.sha256(f"{name} {base.name}\n".encode())
    for file in _context_files():
        digest.update(f"{file.relative_to(_REPOSITORY)} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _context_files() -> Iterator[Path]:
    yield from (_REPOSITORY / "Dockerfile", _REPOSITORY / ".dockerignore")
    for name in context((_REPOSITORY / ".dockerignore").read_text(encoding="utf-8")):
        path = _REPOSITORY / name
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)
