"""Tells verifiers the keys of JWT-SVIDs and the bundle of the trust domain, by HTTPS. Shell.

OpenID Connect Discovery 1.0 §4 for those who know no SPIFFE; SPIFFE Federation §5.2 for those who do.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web

from ca.istio.serving import Credential
from ca.jwt.documents import Documents
from kube.connections import https_service, load
from kube.health import listening
from kube.until import until
from proa.errors import ProaError

CACHED: Final = 300
"""Seconds for which an answer may be kept: far less than `keys.ANNOUNCED`."""
CONNECTIONS: Final = 64
_SECONDS: Final = 60.0
_LOG: Final = structlog.get_logger("ca")


class Discovery:
    """*documents* answers what there is to tell, by path; *credential* what to show, and raises ProaError where there
    is nothing. *port* may be 0, for any; *bound* is which it is, once it is open."""

    def __init__(self, documents: Callable[[], Documents], credential: Callable[[], Credential], port: int) -> None:
        self._documents, self._credential, self._port = documents, credential, port
        self._shown: Credential | None = None
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.bound = 0

    async def service(self, closing: asyncio.Event) -> None:
        self._show()
        served = web.Application(client_max_size=1024)
        served.router.add_get("/{path:.*}", self._answer)
        listener = listening(self._port)
        self.bound = listener.getsockname()[1]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(https_service(served, listener, self._context, most=CONNECTIONS)(closing))
                while not closing.is_set():
                    await until(closing, asyncio.sleep(_SECONDS))
                    self._show()
        finally:
            self.bound = 0

    async def _answer(self, request: web.Request) -> web.Response:
        found = self._documents().get(request.path)
        if found is None:
            return web.Response(status=404, text="nothing here\n")
        headers = {"Cache-Control": f"public, max-age={CACHED}"}
        return web.Response(body=found, content_type="application/json", headers=headers)

    def _show(self) -> None:
        """The certificate that is right now, in handshakes from now on."""
        try:
            credential = self._credential()
        except ProaError as error:
            _LOG.warning("no certificate for the discovery of keys", error=str(error), code=error.code)
            return
        if credential is not self._shown:
            load(self._context, credential.key + credential.chain)
            self._shown = credential
