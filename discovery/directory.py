"""A directory whose files change all at once, as the kubelet's volumes do. Shell."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from proa.names import VOLUME_DATA


def publish(directory: Path, files: Mapping[str, bytes], mode: int = 0o644, owner: int = -1) -> None:
    """Make *files* the whole content of *directory* in one step, as the kubelet does with a volume.

    Each name is a link through `..data`, which is a link to a hidden folder; one rename of `..data` swaps all files,
    so a reader sees the old set or the new one, and a watcher of the directory one move.
    """
    directory.mkdir(parents=True, exist_ok=True)
    fresh = directory / f"..{uuid4().hex}"
    _write(fresh, files, mode, owner)
    for name in files:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"{VOLUME_DATA}/{name}")
    swap = directory / f"{VOLUME_DATA}_tmp"
    swap.unlink(missing_ok=True)
    swap.symlink_to(fresh.name)
    swap.rename(directory / VOLUME_DATA)
    _remove_stale(directory, files, fresh)


def _write(folder: Path, files: Mapping[str, bytes], mode: int, owner: int) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    for name, content in files.items():
        # Closed to others until it is whole: a private key is never readable for a moment. Modes by chmod, as the
        # process's umask has no say in them.
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchown(descriptor, owner, owner)
            os.fchmod(descriptor, mode)


def _remove_stale(directory: Path, files: Mapping[str, bytes], fresh: Path) -> None:
    """Links to files that are no more, and every former set: also one that a writer who died left half made."""
    for entry in directory.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in files:
            entry.unlink()
        elif entry.is_dir() and not entry.is_symlink() and entry != fresh:
            shutil.rmtree(entry)
