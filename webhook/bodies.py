"""Bodies within bounds: each one's kind, size and time, and what all the large ones hold together. Shell."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from proa.errors import ProaError, shown
from webhook.review import Unreadable

JSON: Final = "application/json"
LARGEST_BODY: Final = 6 * 1024 * 1024
"""Twice what etcd takes of one object, as a review may hold the old object too; the bound Istio's injector has."""
SMALL_BODY: Final = 64 * 1024
"""What every connection may hold: an ordinary review finds room whatever the others send."""
LARGE_BODIES: Final = 32 * 1024 * 1024
"""What larger ones may hold together, in a container of 256 MiB that has 512 small ones and their buffers to hold."""
READ_SECONDS: Final = 10.0
"""The API server sends a review in one go: whoever takes longer only holds memory."""


@dataclass(eq=False)
class Overloaded(ProaError):
    """There is more to answer at this moment than there is room for."""

    code: ClassVar[str] = "overloaded"
    what: str

    def __str__(self) -> str:
        return f"this webhook has no room for more {self.what} at this moment: try again"


class Bodies:
    """What is held of bodies that are not answered yet."""

    def __init__(self) -> None:
        self._held = 0

    async def read(self, http: web.Request, seconds: float) -> bytes:
        """The body of a request, which is held until it is given to `release`.

        It must come within *seconds*. Raises Unreadable with the status it deserves, and Overloaded.
        """
        _check_kind(http)
        if http.content.is_eof():
            # All of it came with the head, as nearly always.
            body = http.content.read_nowait()
            self._hold(0, len(body))
        else:
            body = await self._awaited(http, min(seconds, READ_SECONDS))
        if not body:
            raise Unreadable("body", "nothing", "an AdmissionReview")
        return body

    def release(self, body: bytes) -> None:
        self._held -= _counted(len(body))

    async def _awaited(self, http: web.Request, seconds: float) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(seconds):
                async for part in http.content.iter_any():
                    self._hold(len(body), len(body) + len(part))
                    body += part
        except BaseException as error:
            self._held -= _counted(len(body))
            raise _unreadable(error, seconds) from error
        return bytes(body)

    def _hold(self, before: int, after: int) -> None:
        if after > LARGEST_BODY:
            raise _too_large()
        more = _counted(after) - _counted(before)
        if more and self._held + more > LARGE_BODIES:
            raise Overloaded("large bodies")
        self._held += more


def _counted(size: int) -> int:
    return size if size > SMALL_BODY else 0


def _check_kind(http: web.Request) -> None:
    if http.content_type != JSON:
        raise Unreadable("Content-Type", shown(http.content_type), JSON, http_status=415)
    encoding = http.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise Unreadable("Content-Encoding", shown(encoding), "identity", http_status=415)
    if (http.content_length or 0) > LARGEST_BODY:
        raise _too_large()


def _too_large() -> Unreadable:
    return Unreadable("body", f"more than {LARGEST_BODY} bytes", f"at most {LARGEST_BODY}", http_status=413)


def _unreadable(error: BaseException, seconds: float) -> BaseException:
    match error:
        case TimeoutError():
            found = f"not all of it after {seconds:g} s"
            return Unreadable("body", found, "a body that is sent at once", http_status=408)
        case web.RequestPayloadError():
            return Unreadable("body", "one that is cut or ill-framed", "what its head announces")
        case _:
            return error
