"""What stands for container images: the machine's own root, copy-on-write, with Proa, Envoy and Python laid in. Shell.

There is no registry and no container runtime here. Every container sees the same: `/opt/proa/bin` first on its PATH,
with `envoy`, `proa-init` and `python3`. They are bound there because a container's user may not be able to reach the
places where they are installed.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Final

from demo.plan import Bind
from proa.errors import Invalid

_ROOT: Final = "/opt/proa"
_PROA_INIT: Final = f"""#!{_ROOT}/bin/python3 -IS
import sys
sys.path.insert(0, "{_ROOT}/packages")
from init.__main__ import main
sys.exit(main())
"""
_PYTHON: Final = f"""#!/bin/sh
LD_LIBRARY_PATH={_ROOT}/python/lib exec {_ROOT}/python/bin/{{python}} "$@"
"""
# A Python built with a shared library looks for it where it was installed, which is elsewhere now.


def laid_in_image(directory: Path) -> tuple[Bind, ...]:
    """Prepare *directory*; the binds that every container gets. Raises Invalid where Envoy is not installed."""
    commands, packages = directory / "bin", directory / "packages"
    commands.mkdir(parents=True)
    packages.mkdir()
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    _write_script(commands / "python3", _PYTHON.format(python=python))
    _write_script(commands / "proa-init", _PROA_INIT)
    (commands / "envoy").symlink_to(f"{_ROOT}/envoy/envoy")
    for package in ("proa", "init"):
        (packages / package).mkdir()
    return (
        Bind(commands, f"{_ROOT}/bin", read_only=True),
        Bind(Path(sys.base_prefix), f"{_ROOT}/python", read_only=True),
        Bind(_package("envoy") / "_bin", f"{_ROOT}/envoy", read_only=True),
        Bind(packages, f"{_ROOT}/packages", read_only=True),
        Bind(_package("proa"), f"{_ROOT}/packages/proa", read_only=True),
        Bind(_package("init"), f"{_ROOT}/packages/init", read_only=True),
    )


def _write_script(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise Invalid(f"package {name}", "not installed", "pip install 'proa[demo]'")
    return Path(found.submodule_search_locations[0])
