"""Whom to trust, from a file that the kubelet keeps, and followed. Shell."""

import asyncio
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509

from node.watching import Watch
from node.workload.svid import bundle
from proa.errors import Invalid

_SECONDS: Final = 30.0
"""After which it is read again, whatever the kernel tells."""
_LOG: Final = structlog.get_logger("node")


class Roots:
    """Of *path*. What cannot be read leaves the last that could."""

    def __init__(self, path: Path) -> None:
        self._path, self._problem = path, ""
        self.pem: bytes = b""
        self.certificates: tuple[x509.Certificate, ...] = ()
        """Both are empty until there are any. These are in one order, the file's is the kubelet's to shuffle."""
        self.changed = asyncio.Event()
        """Set when they are others than at the time it was taken; then there is another event."""

    async def service(self, stopping: asyncio.Event) -> None:
        with Watch(self._path.parent) as watch:
            while not stopping.is_set():
                self._read()
                await watch.changed(stopping, _SECONDS)

    def _read(self) -> None:
        try:
            pem = self._path.read_bytes()
            certificates = bundle(pem)
        except (OSError, Invalid) as error:
            self._tell(str(error))
            return
        self._tell("")
        if certificates != self.certificates:
            self.pem, self.certificates = pem, certificates
            self.changed.set()
            self.changed = asyncio.Event()

    def _tell(self, problem: str) -> None:
        if problem and problem != self._problem:
            _LOG.warning("no roots", path=str(self._path), error=problem)
        self._problem = problem
