"""Calls a webhook as the API server does: a new connection, the registered trust and name, a real review. Shell."""

import ssl
from collections.abc import Callable
from typing import Final
from uuid import uuid4

import aiohttp

from proa.errors import Invalid, ProaError
from webhook.selftest import Target, check_answer, question

_TIMEOUT: Final = aiohttp.ClientTimeout(total=3)
_LARGEST_ANSWER: Final = 65536


def anonymous(_: ssl.SSLContext) -> None:
    """Shows no certificate of a client, as the API server does unless it is told to."""


async def problem_of_calling(
    target: Target, host: str, port: int, certified: Callable[[ssl.SSLContext], None] = anonymous
) -> str | None:
    """Why the API server could not call *target* where *host* and *port* are; None where it could. *certified* gives
    the caller's context what it shows.
    """
    uid = str(uuid4())
    try:
        status, body = await _answer(target, f"https://{host}:{port}{target.path}", question(uid), certified)
        check_answer(uid, status, body)
    except aiohttp.ClientConnectorCertificateError as error:
        return (
            f"its caBundle does not verify the serving certificate for {target.server_name}: {error.certificate_error}"
        )
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return f"no answer from {host}:{port} as {target.server_name}: {str(error) or type(error).__name__}"
    except (Invalid, ProaError) as error:
        return f"{host}:{port} as {target.server_name}: {error}"
    return None


async def _answer(
    target: Target, url: str, body: bytes, certified: Callable[[ssl.SSLContext], None]
) -> tuple[int, bytes]:
    tls = ssl.create_default_context(cadata=target.roots)
    certified(tls)
    # A connection that is kept open would go on showing the certificate it was opened with.
    connector = aiohttp.TCPConnector(force_close=True, ssl=tls)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as session,
        session.post(
            url, data=body, headers={"Content-Type": "application/json"}, server_hostname=target.server_name
        ) as answer,
    ):
        return answer.status, await answer.content.read(_LARGEST_ANSWER)
