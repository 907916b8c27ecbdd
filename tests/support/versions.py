"""Another version of Proa made of the same sources: nothing but the distribution's metadata says which one it is."""

from pathlib import Path

from proa.release import VERSION


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
