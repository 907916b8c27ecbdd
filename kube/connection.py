"""The wire to the API server: `kubernetes.aio` reads who we are and where it is, and sends. Shell.

The only module that imports it, and only when a connection is opened (docs/decisions/0007).
"""

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol, cast

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import (
    ConfigException,
    load_incluster_config,  # pyright: ignore[reportUnknownVariableType]
    load_kube_config,  # pyright: ignore[reportUnknownVariableType]
)
from kubernetes.aio.config.incluster_config import SERVICE_HOST_ENV_NAME, SERVICE_TOKEN_FILENAME

from kube.calls import REFUSALS, Answer, Call
from kube.failures import Unreachable, refusal
from proa.errors import Invalid, shown
from proa.json import Json

USER_AGENT: Final = "proa"
CONNECT_SECONDS: Final = 5.0
_LOGIN_SECONDS: Final = 60.0
"""For a kubeconfig's exec plug-in, which may wait for a person."""
_FAILURES: Final = (aiohttp.ClientError, OSError, ValueError, ConfigException)
"""Of the network, of an address that is none, of a token's file that cannot be read."""


class _Raw(Protocol):
    response: aiohttp.ClientResponse


class _Api(Protocol):
    """What is used of ApiClient, which has no types of its own."""

    async def update_params_for_auth(
        self, headers: dict[str, str], queries: list[str], auth_settings: list[str], path: str, method: str, body: None
    ) -> None: ...

    async def call_api(
        self, method: str, url: str, headers: dict[str, str], body: Json, *, _request_timeout: aiohttp.ClientTimeout
    ) -> _Raw: ...

    async def close(self) -> None: ...


class Wire:
    """One pool of connections to one API server."""

    def __init__(self, apis: "_Apis", address: str) -> None:
        self._apis, self.address = apis, address

    async def send(self, call: Call) -> Answer:
        try:
            async with asyncio.timeout(call.seconds):
                response = await self._started(call)
                async with response:
                    return Answer(response.status, await response.read(), response.headers.get("Retry-After", ""))
        except _FAILURES as error:
            raise _unreachable(self.address, call, error) from error

    @asynccontextmanager
    async def lines(self, call: Call) -> AsyncGenerator[AsyncIterator[bytes]]:
        try:
            response = await self._started(call)
        except _FAILURES as error:
            raise _unreachable(self.address, call, error) from error
        async with response:
            if response.status >= REFUSALS:
                body = await self._rest(call, response)
                raise refusal(response.status, body, str(call), response.headers.get("Retry-After", ""))
            yield self._read(call, response)

    async def _started(self, call: Call) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "Content-Type": call.content_type, "User-Agent": USER_AGENT}
        # Asked for each time: the token of a ServiceAccount is replaced on disk every hour or so.
        api = self._apis.current()
        await api.update_params_for_auth(headers, [], ["BearerToken"], call.path, call.method, None)
        limits = aiohttp.ClientTimeout(total=call.seconds, connect=CONNECT_SECONDS, sock_read=call.quiet_seconds)
        url = self.address + call.target
        return (await api.call_api(call.method, url, headers, call.body, _request_timeout=limits)).response

    async def _rest(self, call: Call, response: aiohttp.ClientResponse) -> bytes:
        try:
            return await response.read()
        except _FAILURES as error:
            raise _unreachable(self.address, call, error) from error

    async def _read(self, call: Call, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for line in response.content:
                yield line
        except TimeoutError:
            # Silence is not told from death: the watcher asks again either way.
            return
        except _FAILURES as error:
            raise _unreachable(self.address, call, error) from error


@asynccontextmanager
async def opened(kubeconfig: Path | None, context: str | None) -> AsyncGenerator[Wire]:
    """See `kube.client.connected`."""
    configuration = await _configuration(kubeconfig, context)
    async with AsyncExitStack() as closing:
        yield Wire(_Apis(configuration, closing), str(configuration.host))


class _Apis:
    """The library's client, made anew when the cluster's CA or our certificate is another file by now: it reads them
    once. The former client ends what it has begun. Files that cannot be used leave it in place.
    """

    def __init__(self, configuration: Configuration, closing: AsyncExitStack) -> None:
        self._configuration, self._closing = configuration, closing
        self._read, self._api = _files_of(configuration), self._made()

    def current(self) -> _Api:
        found = _files_of(self._configuration)
        if found != self._read:
            self._read = found
            with suppress(Invalid):
                self._api = self._made()
        return self._api

    def _made(self) -> _Api:
        api = _api_client(self._configuration)
        self._closing.push_async_callback(api.close)
        return api


def _files_of(configuration: Configuration) -> list[tuple[int, ...]]:
    """What tells the files that are there now from those that were: the kubelet swaps a link, so they are others."""
    found: list[tuple[int, ...]] = []
    for name in filter(None, (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)):
        try:
            seen = Path(name).stat()
        except OSError:
            continue
        found.append((seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns))
    return found


def _api_client(configuration: Configuration) -> _Api:
    try:
        return cast("_Api", ApiClient(configuration))
    except (ssl.SSLError, OSError) as error:
        raise Invalid(
            "kubeconfig", f"certificates that cannot be used ({error})", "PEM certificates and keys"
        ) from error


async def _configuration(kubeconfig: Path | None, context: str | None) -> Configuration:
    configuration = Configuration()
    # The strict profile of RFC 5280 (Python 3.13's default) refuses cluster CAs that kubectl takes.
    configuration.disable_strict_ssl_verification = True
    named = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG", "")
    if not named and context is None and _in_a_pod():
        _load_account(configuration)
    else:
        await _load_file(configuration, named or str(Path.home() / ".kube" / "config"), context)
    return configuration


def _in_a_pod() -> bool:
    return SERVICE_HOST_ENV_NAME in os.environ and Path(SERVICE_TOKEN_FILENAME).exists()


def _load_account(configuration: Configuration) -> None:
    try:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError) as error:
        raise Invalid("the pod's ServiceAccount", shown(str(error)), "a mounted token and the cluster's CA") from error


async def _load_file(configuration: Configuration, files: str, context: str | None) -> None:
    if not _any_file(files):
        raise Invalid("kubeconfig", f"no file {files}", "--kubeconfig, KUBECONFIG or ~/.kube/config naming one")
    try:
        async with asyncio.timeout(_LOGIN_SECONDS):
            await load_kube_config(files, context, configuration, persist_config=False)  # type: ignore[no-untyped-call]
    except TimeoutError as error:
        found = f"a login command without an answer in {_LOGIN_SECONDS:.0f} s"
        raise Invalid(f"kubeconfig {files}", found, "one that ends") from error
    except Exception as error:
        # The loader lets whatever a malformed file leads to through: KeyError, TypeError, YAMLError, ValueError.
        raise Invalid(f"kubeconfig {files}", shown(str(error), 300), "a kubeconfig that kubectl takes") from error
    _require_credentials(configuration, files)


def _require_credentials(configuration: Configuration, files: str) -> None:
    """The loader only logs that a login command failed, and goes on as nobody, who is then forbidden everything."""
    secured = str(configuration.host).startswith("https:")
    if secured and not configuration.api_key and not configuration.cert_file:
        found = "no credentials, or a login command that failed"
        raise Invalid(
            f"kubeconfig {files}, the user", found, "a token, a client certificate, or a command that gives one"
        )


def _any_file(files: str) -> bool:
    return any(Path(each).expanduser().is_file() for each in files.split(os.pathsep) if each)


def _unreachable(address: str, call: Call, error: Exception) -> Unreachable:
    remedy = "check that it runs and that no firewall is between"
    match error:
        case aiohttp.ClientConnectorCertificateError():
            cause = f"its certificate is not trusted: {_words(error.certificate_error)}"
            remedy = "check the kubeconfig's certificate-authority, server and tls-server-name"
        case aiohttp.ClientConnectorDNSError():
            cause = "its name does not resolve"
            remedy = "check the kubeconfig's server and this machine's DNS"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            cause = f"TLS failed: {_words(error)}"
            remedy = "check the kubeconfig's client certificate, and that the port is the API server's"
        case aiohttp.ClientConnectorError():
            cause = _words(error.os_error)
        case TimeoutError():
            cause = f"no answer to {call} within {min(call.seconds, call.quiet_seconds):g} s"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError():
            cause, remedy = f"it hung up during {call}", "check that it runs"
        case _:
            cause, remedy = _words(error), "check that it is an API server and that it runs"
    return Unreachable(address, cause, remedy)


def _words(error: Any) -> str:
    """What an error says: OpenSSL's or the kernel's own words where there are some, else Python's."""
    number = getattr(error, "errno", None)
    system = (
        os.strerror(number) if isinstance(number, int) and number > 0 and not isinstance(error, ssl.SSLError) else ""
    )
    return str(getattr(error, "verify_message", "") or system or str(error) or type(error).__name__)
