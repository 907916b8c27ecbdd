"""The serving certificate, read anew every few seconds: new handshakes get the newest that can be served. Shell.

A connection keeps what it was opened with, so that none is dropped. Files that cannot be served leave the last good.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from proa import names
from proa.clock import Clock
from proa.errors import Invalid
from webhook.credential import Credential, credential

REREAD_SECONDS: Final = 3.0
_DATA: Final = "..data"
"""The link that the kubelet swaps when it has written a volume anew (Kubernetes' AtomicWriter)."""
_PAIR: Final = ("tls.key", "tls.crt")
"""Of a Secret of type kubernetes.io/tls, as cert-manager writes it."""


class Serving:
    """The certificate in force. *directory* holds a credential bundle, or a key and a chain."""

    def __init__(self, directory: Path, clock: Clock, changed: Callable[[datetime], None]) -> None:
        """*changed* is told when each certificate that comes into force will expire."""
        self._directory, self._clock, self._changed = directory, clock, changed
        self._pem = b""
        self._context: ssl.SSLContext | None = None
        self.problem: str | None = None
        """Why the newest files are not in force."""
        self.tls = _server_context()
        """For listening: it chooses the certificate in force, handshake by handshake."""
        self.tls.sni_callback = self._choose

    @property
    def certified(self) -> bool:
        return self._context is not None

    def reread(self) -> None:
        """Put the newest files in force, or say in *problem* why not."""
        try:
            pem = _read(self._directory)
            if pem == self._pem and self.problem is None:
                return
            found = credential(pem, self._clock())
        except (OSError, Invalid) as error:
            self._keep(str(error))
            return
        self._context, self._pem, self.problem = _certified_context(found), pem, None
        self._changed(found.expires)
        structlog.get_logger("serving").info(
            "serving certificate in force", serial=f"{found.leaf.serial_number:x}", expires=found.expires.isoformat()
        )

    async def service(self, stopping: asyncio.Event) -> None:
        """Rereads until it is stopped."""
        while not stopping.is_set():
            self.reread()
            await waited(stopping, REREAD_SECONDS)

    def _keep(self, problem: str) -> None:
        if problem != self.problem:
            structlog.get_logger("serving").warning("serving certificate not usable", error=problem)
        self.problem = problem

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> int | None:
        """Called by OpenSSL for each ClientHello, whether it names a server or not."""
        if self._context is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._context
        return None


async def waited(stopping: asyncio.Event, seconds: float) -> None:
    """Return after *seconds*, or sooner when *stopping* is set."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


def _read(directory: Path) -> bytes:
    """The key and the chain. Two files are taken from one moment: the link is followed once."""
    now = directory / _DATA
    moment = now.resolve(strict=True) if now.is_symlink() else directory
    bundle, pair = moment / names.CREDENTIAL_BUNDLE, [moment / name for name in _PAIR]
    if bundle.exists():
        return bundle.read_bytes()
    if not all(file.exists() for file in pair):
        raise Invalid(str(directory), "neither", f"{names.CREDENTIAL_BUNDLE}, or {' and '.join(_PAIR)}")
    return b"".join(file.read_bytes() for file in pair)


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _certified_context(found: Credential) -> ssl.SSLContext:
    """OpenSSL takes a key from a file alone: this one is in memory and has no name."""
    context, descriptor = _server_context(), os.memfd_create("proa-serving")
    with os.fdopen(descriptor, "wb") as file:
        file.write(found.pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    return context
