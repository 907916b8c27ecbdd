"""The wire to Vault: TLS that is verified always, answers of a bounded size and time. Shell.

Redirects are not followed: where they lead is another server, which would be given the token.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from ca.vault.calls import LARGEST, Answer, Call, words
from ca.vault.failures import VaultUnavailable, ca_remedy
from ca.vault.files import CA, TOKEN
from proa.errors import Invalid
from proa.upstreams import SystemRoots, VaultPki

SECONDS: Final = 10.0
"""For one call, from the name's resolution to the answer's last byte. Who leads no more waits for three at most."""
_LARGEST_FILE: Final = 1024 * 1024
_FAILURES: Final = (aiohttp.ClientError, OSError, ValueError)
_TOKEN_REMEDY: Final = "the ServiceAccount's token: `proa install` and `proa upgrade` add it to proa-ca's pods"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Wire:
    session: aiohttp.ClientSession
    upstream: VaultPki

    async def send(self, call: Call) -> Answer:
        """Raises VaultUnavailable."""
        # Vault lets nobody in without the first: a forged form of a browser's cannot have it.
        headers = {"X-Vault-Request": "true", "Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self.upstream.namespace:
            headers["X-Vault-Namespace"] = self.upstream.namespace
        if call.with_token:
            headers["X-Vault-Token"] = call.secret
        try:
            async with (
                asyncio.timeout(SECONDS),
                self.session.post(
                    self.upstream.server + call.path, data=call.body, headers=headers, allow_redirects=False
                ) as response,
            ):
                body = await _bounded(response.content)
                return Answer(response.status, body, response.headers.get("Retry-After", ""))
        except _FAILURES as error:
            raise _unavailable(self.upstream, call, error) from error


@asynccontextmanager
async def opened(upstream: VaultPki, directory: Path) -> AsyncGenerator[Wire]:
    """Raises Invalid where the CA's file cannot be used."""
    connector = aiohttp.TCPConnector(ssl=_tls(upstream, directory / CA))
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        yield Wire(session, upstream)


def account_token(directory: Path) -> str:
    """Read each time: the kubelet replaces it. Raises Invalid, with none of its bytes."""
    found = _read(directory / TOKEN, _TOKEN_REMEDY).strip()
    if not found:
        raise Invalid(str(directory / TOKEN), "nothing", _TOKEN_REMEDY)
    return found


def _tls(upstream: VaultPki, file: Path) -> ssl.SSLContext:
    try:
        # Given none at all, Python would take the system's.
        own = "" if isinstance(upstream.ca, SystemRoots) else _read(file, ca_remedy(upstream)).strip() or "none"
        context = ssl.create_default_context(cadata=own or None)
    except (ssl.SSLError, ValueError) as error:
        raise Invalid(str(file), "what is none", ca_remedy(upstream)) from error
    # Python 3.13's default, which refuses authorities that Vault's own client takes.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _read(file: Path, allowed: str) -> str:
    try:
        with file.open("rb") as bytes_of_it:
            content = bytes_of_it.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise Invalid(str(file), error.strerror or "no file", allowed) from error
    if len(content) > _LARGEST_FILE:
        raise Invalid(str(file), f"more than {_LARGEST_FILE} bytes", allowed)
    # What is no ASCII can be nothing but a comment, in either.
    return content.decode("ascii", "ignore")


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for part in content.iter_any():
        body += part
        if len(body) > LARGEST:
            raise ValueError(f"an answer of more than {LARGEST} bytes")
    return bytes(body)


def _unavailable(upstream: VaultPki, call: Call, error: Exception) -> VaultUnavailable:
    remedy = "see that authority.upstream.server is right and that no NetworkPolicy or firewall is between"
    match error:
        case aiohttp.ClientConnectorCertificateError():
            found = error.certificate_error
            cause = f"its certificate is not trusted: {getattr(found, 'verify_message', '') or found}"
            remedy = f"have its authority's certificate in {ca_remedy(upstream)}"
        case TimeoutError():
            cause = f"no answer within {SECONDS:g} s"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            # Its text has bytes of the answer, cut short: of a token that is repeated nobody would know what is left.
            cause = "an answer that is no HTTP, or ends too soon"
        case _:
            # There may be of the answer in it.
            cause = words(call, str(error) or type(error).__name__)
    return VaultUnavailable(upstream.server, cause, remedy)
