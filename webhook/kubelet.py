"""What the kubelet makes of a probe's and a container's fields before it uses them. Pure."""

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from webhook.pod import ContainerPort

_AUTHORITY: Final = re.compile(r"\A(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?]*")
_MALFORMED: Final = re.compile(r"[\x00-\x1f\x7f]|%(?![0-9A-Fa-f]{2})")
_ENCODED: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@\[\]/%]*")
_UNRESERVED: Final = "/-._~$&+,:;=@"


def request_target(path: str) -> str:
    """Path and query of the request for a probe's `path`, as Go's net/url writes them (pkg/probe/http, formatURL).

    A scheme and host in front are dropped, a fragment behind; what is no URL at all is a path as it stands.
    """
    if _MALFORMED.search(path):
        return _rooted(quote(path, safe=_UNRESERVED))
    before, mark, query = path.partition("#")[0].partition("?")
    before = _AUTHORITY.sub("", before)
    written = before if _ENCODED.fullmatch(before) else quote(unquote_to_bytes(before), safe=_UNRESERVED)
    return f"{_rooted(written)}{mark}{query}"


def _rooted(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def port_number(port: int | str, declared: tuple[ContainerPort, ...] | None) -> int | None:
    """The number of a probe's port: a name is one of the same container's; None if it is not (ResolveContainerPort)."""
    if isinstance(port, int):
        return port
    named = {each.name: each.container_port for each in declared or ()}
    return named[port] if port in named else int(port) if port.isascii() and port.isdigit() else None


def literal(text: str) -> str:
    """*text* in a container's arguments so that no `$(…)` in it is a variable (KEP: forked/golang/expansion)."""
    return text.replace("$", "$$")
