"""Issues without keeping others waiting: where the issuer's key lies elsewhere, its work is a thread's. Shell."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from ca.authority import CertificateAuthority
from ca.certificates import Chain, PrivateKey
from ca.custody import KeyUnavailable
from ca.key_uri import KeyElsewhere
from ca.verdict import Sign

T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds for a token to sign, and to be logged in to before it."""
_TOKEN: Final = ThreadPoolExecutor(1, "token")
"""One thread: a token signs one thing after the other, in the order in which they were asked for (decision 0037)."""


async def issue(authority: CertificateAuthority, sign: Sign) -> Chain:
    """As `CertificateAuthority.issue`."""
    return await aside(
        authority.issuer.key, lambda: authority.issue(sign.public_key, sign.contents, sign.lifetime), PATIENCE
    )


async def aside(key: PrivateKey | KeyElsewhere, work: Callable[[], T], seconds: float) -> T:
    """What *work* answers, which signs with *key*. Raises KeyUnavailable where another's key takes more than *seconds*;
    the event loop goes on meanwhile. This process's own signs in less time than a thread takes to begin."""
    if not isinstance(key, KeyElsewhere):
        return work()
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.get_running_loop().run_in_executor(_TOKEN, work)
    except TimeoutError as error:
        raise KeyUnavailable(key.uri, f"no answer in {seconds:.0f} seconds") from error
