"""Another version of Proa made of the same sources: nothing but the distribution's metadata says which one it is."""

import os
from pathlib import Path


def environment_of(version: str, directory: Path) -> dict[str, str]:
    """Variables under which every program of Proa is of *version*: Python finds the metadata in *directory* first."""
    metadata = directory / f"proa-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.4\nName: proa\nVersion: {version}\n", encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(directory)}
