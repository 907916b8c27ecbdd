"""Build the cluster's Go programs once, and keep them by the hash of what they are made from. Shell."""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher.failures import Unsuitable

_SOURCES: Final = Path(__file__).parent.parent
_FLAGS: Final = ("-trimpath", "-buildvcs=false")
_VERSION: Final = "k8s.io/component-base/version"


@dataclass(frozen=True, slots=True)
class Program:
    """*name* is its directory beside this package, and the program's own; *symbols* are set by the linker, *flags* are
    the compiler's."""

    name: str
    symbols: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


KUBERNETES: Final = Program(
    "kubernetes",
    # Without a version kubectl refuses to compare itself with the server.
    (f"{_VERSION}.gitVersion=v1.37.2", f"{_VERSION}.gitMajor=1", f"{_VERSION}.gitMinor=37"),
)
COREDNS: Final = Program("coredns")
PAUSE: Final = Program("pause")
PEER: Final = Program("peer")
VERIFY: Final = Program("verify")
HELM: Final = Program("helm")
CERT_MANAGER: Final = Program("certmanager")
ISTIO: Final = Program("istio")
SPIFFE: Final = Program("spiffe")
VAULT: Final = Program("vault")
NRI: Final = Program("nri")
OLDER_NRI: Final = Program("nri", flags=("-modfile=go.older.mod", "-tags=older"))
TESTED_WITH: Final = (VERIFY, HELM, CERT_MANAGER, ISTIO, SPIFFE, VAULT, NRI, OLDER_NRI)
"""What tests run beside the parts of a node."""


def cache() -> Path:
    """Where what is slow to make is kept between clusters; anybody may delete it."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "proa" / "cluster"


def built(program: Program) -> Path:
    """The file of *program*, built if need be. A build that was interrupted goes on from Go's own cache."""
    source, command = _SOURCES / program.name, _command(program)
    file = cache() / _digest(source, command) / program.name
    if file.exists():
        return file
    if shutil.which("go") is None:
        raise Unsuitable(f"{program.name} is not built and there is no Go", "install Go 1.26 or newer")
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{program.name}.partial.{os.getpid()}")
    try:
        environment = {**os.environ, "CGO_ENABLED": "0"}
        subprocess.run([*command, "-o", partial, "."], cwd=source, env=environment, check=True)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return file


def module(program: Program, name: str) -> Path:
    """The directory of module *name* as *program* is built from it: in Go's own cache, fetched if need be."""
    command = ("go", "mod", "download", "-json", name)
    done = subprocess.run(command, cwd=_SOURCES / program.name, capture_output=True, text=True, check=True)
    return Path(json.loads(done.stdout)["Dir"])


def _command(program: Program) -> tuple[str, ...]:
    symbols = "".join(f" -X {symbol}" for symbol in program.symbols)
    return ("go", "build", *_FLAGS, *program.flags, f"-ldflags=-s -w{symbols}")


def _digest(source: Path, command: tuple[str, ...]) -> str:
    digest = hashlib.sha256(repr(command).encode())
    for file in sorted(source.glob("*.go")) + sorted(source.glob("go.*")):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
