"""The serving certificate, read anew every few seconds: new handshakes get the newest that can be served. Shell.

A connection keeps what it was opened with, so that none is dropped. Files that cannot be served leave the last good.
"""

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from kube.connections import load
from proa import names
from proa.clock import Clock
from proa.errors import Invalid
from webhook.credential import Credential, credential, ephemeral

REREAD_SECONDS: Final = 3.0
"""The link that the kubelet swaps when it has written a volume anew (Kubernetes' AtomicWriter)."""
_PAIR: Final = ("tls.key", "tls.crt")
"""Of a Secret of type kubernetes.io/tls, as cert-manager writes it."""


class Serving:
    """The certificate in force. *directory* holds a credential bundle, or a key and a chain."""

    def __init__(
        self, directory: Path, clock: Clock, changed: Callable[[datetime], None], client_roots: Path | None = None
    ) -> None:
        """*changed* is told when each certificate that comes into force will expire. Clients must show a certificate of
        the roots in the file *client_roots*, where there is one; it is read anew as well.
        """
        self._client_roots = client_roots
        self._own = None if client_roots is None else ephemeral(clock())
        self._directory, self._clock, self._changed = directory, clock, changed
        self._read: tuple[bytes, bytes] | None = None
        self._context: ssl.SSLContext | None = None
        self.problem: str | None = None
        """Why the newest files are not in force."""
        self.tls = _server_context()
        if client_roots is not None:
            # On this one: OpenSSL takes the mode from the context that a connection begins with, the roots from the
            # one that is chosen. Without tickets: a resumed session would be trusted by roots that are gone.
            self.tls.verify_mode = ssl.CERT_REQUIRED
            self.tls.options |= ssl.OP_NO_TICKET
            self.tls.num_tickets = 0
        """For listening: it chooses the certificate in force, handshake by handshake."""
        self.tls.sni_callback = self._choose

    @property
    def certified(self) -> bool:
        return self._context is not None

    def reread(self) -> None:
        """Put the newest files in force, or say in *problem* why not."""
        try:
            read = _read(self._directory), self._roots()
            if read == self._read and self.problem is None:
                return
            found = credential(read[0], self._clock())
            context = _certified_context(found, read[1])
        except (OSError, Invalid) as error:
            self._keep(str(error))
            return
        self._context, self._read, self.problem = context, read, None
        self._changed(found.expires)
        structlog.get_logger("serving").info(
            "serving certificate in force", serial=f"{found.leaf.serial_number:x}", expires=found.expires.isoformat()
        )

    def self_certified(self, context: ssl.SSLContext) -> None:
        """Has *context*, a client's, show the certificate by which this process knows itself: the self-test's."""
        if self._own is not None:
            load(context, self._own.pem)

    def _roots(self) -> bytes:
        """PEM; nothing where clients need show no certificate. Raises OSError and Invalid."""
        if self._client_roots is None or self._own is None:
            return b""
        try:
            roots = load_pem_x509_certificates(self._client_roots.read_bytes())
        except ValueError as error:
            raise Invalid(str(self._client_roots), "no certificate that can be read", "PEM certificates") from error
        return b"".join(each.public_bytes(Encoding.PEM) for each in (*roots, self._own.leaf))

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
    now = directory / names.VOLUME_DATA
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


def _certified_context(found: Credential, client_roots: bytes) -> ssl.SSLContext:
    context = _server_context()
    load(context, found.pem)
    if client_roots:
        context.load_verify_locations(cadata=client_roots.decode("ascii"))
    return context
