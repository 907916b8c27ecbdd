"""The servers that the pod's resolver asks. Shell."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_RESOLV_CONF: Final = "/etc/resolv.conf"
_MOST: Final = 65536
"""Characters that are read of it."""


def of_pod() -> tuple[str, ...]:
    """As resolv.conf(5) names them, without the zone of an address; none if there is no such file."""
    try:
        with open(_RESOLV_CONF, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib takes 8 ms
            return servers(file.read(_MOST))
    except FileNotFoundError:
        return ()


def servers(text: str) -> tuple[str, ...]:
    """The addresses behind `nameserver` in *text*."""
    lines = (line.split() for line in text.splitlines())
    return tuple(words[1].partition("%")[0] for words in lines if len(words) > 1 and words[0] == "nameserver")
