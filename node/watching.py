"""Says when something in directories changes, by inotify(7). Shell: no library of ours has it."""

import asyncio
import ctypes
import os
from pathlib import Path
from typing import Final, Self

from kube.waiting import waited

_CHANGES: Final = 0x008 | 0x040 | 0x080 | 0x100 | 0x200
"""Closed after writing, moved away, moved here, made, deleted (IN_*, linux/inotify.h)."""
_NONBLOCK: Final = os.O_NONBLOCK | os.O_CLOEXEC
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Of *directories*. Where the kernel does not let it watch, `changed` just waits."""

    def __init__(self, *directories: Path) -> None:
        self._number = _LIBC.inotify_init1(_NONBLOCK)
        for directory in directories:
            _LIBC.inotify_add_watch(self._number, os.fsencode(directory), _CHANGES)
        self._news = asyncio.Event()

    def __enter__(self) -> Self:
        if self._number >= 0:
            asyncio.get_running_loop().add_reader(self._number, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        if self._number >= 0:
            asyncio.get_running_loop().remove_reader(self._number)
            os.close(self._number)

    async def changed(self, stopping: asyncio.Event, seconds: float) -> None:
        """Until something has changed since it was asked last, until *stopping*, for *seconds* at most."""
        await waited(stopping, self._news, seconds)

    def _read(self) -> None:
        os.read(self._number, 65_536)
        self._news.set()
