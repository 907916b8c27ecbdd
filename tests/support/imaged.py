"""proa-init as the image has it: beside its packages, and by an interpreter without `site`."""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def proa_init(directory: Path) -> tuple[str, ...]:
    """The command, of a tree that is made in *directory* as the Dockerfile makes /opt/proa."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages, programs = directory / "lib" / version / "site-packages", directory / "bin"
    for made in (packages, programs):
        made.mkdir(parents=True)
    for name in ("init", "proa"):
        (packages / name).symlink_to(ROOT / name)
    return sys.executable, "-IS", shutil.copy(ROOT / "init" / "proa-init", programs)
