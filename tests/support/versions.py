"""Another version of Proa made of the same sources: nothing but the distribution's metadata says which one it is."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from proa.release import VERSION

_LOAD: Final = Path(__file__).parents[1] / "cluster" / "load.py"


def environment_of(version: str, directory: Path) -> dict[str, str]:
    """What makes every program of Proa one of *version*: Python finds the metadata that *directory* holds first."""
    metadata = directory / f"proa-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.4\nName: proa\nVersion: {version}\n", encoding="utf-8")
    return {"PYTHONPATH": str(directory)}


def another_version() -> str:
    """The minor version after this one."""
    major, minor, _ = VERSION.split(".")
    return f"{major}.{int(minor) + 1}.0"


def load_image(version: str) -> "subprocess.Popen[str]":
    """Begin to bring the image of *version* into the cluster; done at once where that was done before. Whoever does the
    same meanwhile is waited for."""
    command = ["nice", sys.executable, _LOAD, version]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
