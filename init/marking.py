"""Whether a node's kernel lets the proxy mark packets with the capability that it is given. Pure."""

from __future__ import annotations

from proa.capture.choices import Tproxied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from proa.capture.interception import Interception

RELEASE_FILE: Final = "/proc/sys/kernel/osrelease"
_FIRST: Final = (5, 17)
"""In which NET_RAW is enough for SO_MARK (Linux commit 079925cce1d0); a distribution may have it in an older one."""


def warning(wanted: Interception, release: str) -> str:
    """Of *release*, what RELEASE_FILE says; "" where the proxy marks nothing, or may."""
    numbers = tuple(int(part) for part in release.strip().replace("-", ".").split(".")[:2] if part.isdecimal())
    if not isinstance(wanted.inbound_mode, Tproxied) or len(numbers) < len(_FIRST) or numbers >= _FIRST:
        return ""
    return (
        f"this node's Linux is {release.strip()}: before 5.17 a proxy with NET_RAW cannot speak from its client's "
        "address, and no call reaches the application unless the distribution added it. Use inbound-mode=redirect there"
    )
