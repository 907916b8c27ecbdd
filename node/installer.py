"""Keeps the plugin in its directory and chained in the node's network configuration; takes both away. Shell.

What is to be written is `conflist`'s to say. The directories are watched by inotify: the network's own plugin writes
its file anew when it starts, and what starts before ours is back in it starts without us (`repair` finds such pods).
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from node.conflist import PLUGIN, Change, Entry, Removed, Renamed, Written, beside, chaining, is_chained, unchaining
from node.metrics import Metrics
from node.watching import Watch

_LONGEST: Final = 1 << 20
_SWEEP: Final = 10.0
"""Seconds between looks without a word from inotify, which a file system need not have."""
_ROUNDS: Final = 4
_ELSEWHERE: Final = "the runtime has its plugins elsewhere, set interception.cniBinDir; see docs/node-mode.md"
_LOG: Final = structlog.get_logger("node")


class Installer:
    """Of *program*, the plugin in our image, into *programs*; of *entry* into what is in *configurations*."""

    def __init__(self, program: Path, programs: Path, configurations: Path, entry: Entry) -> None:
        self._program, self._installed = program, programs / PLUGIN
        self._configurations, self._entry = configurations, entry
        self._problem = "the plugin is not installed yet"

    @property
    def unready(self) -> str:
        return self._problem

    def ensure(self) -> None:
        """Have both as they should be. Never raises: what is wrong is `unready`."""
        before = self._problem
        try:
            self._problem = self._ensured()
        except OSError as error:
            self._problem = f"the plugin is not installed: {error}"
        if self._problem != before:
            _LOG.info("installed" if not self._problem else "not installed", problem=self._problem)

    def remove(self) -> None:
        """Have neither. Raises OSError."""
        for change in unchaining(_files(self._configurations)):
            _make(self._configurations, change)
        self._installed.unlink(missing_ok=True)
        self._problem = "the plugin was removed"

    async def service(self, stopping: asyncio.Event, metrics: Metrics) -> None:
        """Ensure it at each change of the directory, and every few seconds."""
        with Watch(self._configurations, self._installed.parent) as watch:
            while not stopping.is_set():
                await asyncio.to_thread(self.ensure)
                metrics.chained(chained=not self._problem)
                await watch.changed(stopping, _SWEEP)

    def _ensured(self) -> str:
        """What is wrong, or nothing once both are as they should be. Raises OSError.

        A runtime that is told of a plugin and does not find it starts no pod at all, so we look first where it looks.
        """
        directory, others = self._installed.parent, beside(_files(self._configurations))
        if others and not any(os.path.lexists(directory / each) for each in others):
            return f"{' and '.join(others)} not in {directory}: {_ELSEWHERE}"
        self._install()
        return "" if self._chain() else f"no network configuration in {self._configurations} yet"

    def _install(self) -> None:
        wanted = self._program.read_bytes()
        try:
            if self._installed.read_bytes() == wanted and os.access(self._installed, os.X_OK):
                return
        except FileNotFoundError:
            pass
        _write(self._installed, wanted, 0o755)

    def _chain(self) -> bool:
        """Whether we are chained. A change of ours may be overtaken by another's, so it is looked at again."""
        for _ in range(_ROUNDS):
            files = _files(self._configurations)
            if not (changes := chaining(files, self._entry)):
                return is_chained(files, self._entry)
            for change in changes:
                _make(self._configurations, change)
                _LOG.info("network configuration changed", change=type(change).__name__, file=change.name)
        return False


def _files(directory: Path) -> dict[str, str]:
    """What is in *directory*, of a size that a configuration has. Raises OSError."""
    return dict(_read(directory))


def _read(directory: Path) -> Iterator[tuple[str, str]]:
    for path in directory.iterdir():
        if path.is_file() and path.stat().st_size <= _LONGEST:
            yield path.name, path.read_text(encoding="utf-8", errors="replace")


def _make(directory: Path, change: Change) -> None:
    match change:
        case Written(name, text):
            path = directory / name
            _write(path, text.encode(), path.stat().st_mode & 0o777 if path.exists() else 0o600)
        case Renamed(name, to):
            (directory / name).rename(directory / to)
        case Removed(name):
            (directory / name).unlink()


def _write(path: Path, content: bytes, mode: int) -> None:
    """At once: who reads sees the former or the whole. A runtime passes by names that begin with a dot and end so."""
    number, name = tempfile.mkstemp(prefix=".proa-", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise
