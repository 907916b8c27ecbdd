"""What the product's image is made from, read out of the machine's settings and the repository's ignore file. Pure."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where the machine's own packages come from, so that no host name stands in this repository."""

    suite: str
    address: str


def mirror(targets: str, suite: str) -> Mirror | None:
    """Of *suite* (Debian's code name) in *targets*: lines of `CODENAME ADDRESS` by `apt-get indextargets`."""
    pairs = (line.split() for line in targets.splitlines())
    found = [Mirror(*pair) for pair in pairs if len(pair) == 2 and pair[0] == suite]
    return found[0] if found else None


def code_name(release: str) -> str:
    """The code name in *release*, the text of /etc/os-release; empty where it has none."""
    settings = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    return "".join(shlex.split(settings.get("VERSION_CODENAME", "")))


def context(ignore: str) -> tuple[str, ...]:
    """The top-level names that *ignore*, a `.dockerignore` that excludes everything first, lets in again."""
    return tuple(line[1:] for line in ignore.splitlines() if line.startswith("!"))


def pip_settings(certificates: str) -> str:
    """A pip.conf that trusts *certificates*, a path in the image."""
    return f"[global]\ncert = {certificates}\n"
