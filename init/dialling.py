"""A connection as a person writes it, for the question which rules it meets. Pure."""

from __future__ import annotations

from init.fate import First, Sender
from proa.capture.networks import family_of, network, unmapped, within
from proa.capture.spans import read_number
from proa.names import HAIRPIN_IPV6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_KEYS: Final = frozenset({"to", "uid", "gid", "by"})
_UNKNOWN: Final = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - one that is not the hairpin's
_WORDS: Final = frozenset({"tcp", "udp", "own"})
LOOPBACK: Final = ("127.0.0.0/8", "::1", HAIRPIN_IPV6)
"""What is on lo in an intercepted pod."""


def read_first(text: str) -> First:
    """Words and keys with values, with commas between; `own` says that the address is the pod's. Raises ValueError.

    With a user it leaves the pod, without one it arrives. It goes by eth0, or by lo where it stays in the pod.
    """
    parts = [part.partition("=") for part in text.split(",")]
    values = {key: value for key, joined, value in parts if joined}
    words = {word for word, joined, _ in parts if not joined}
    if values.keys() - _KEYS or words - _WORDS or "to" not in values or len(values) + len(words) != len(parts):
        raise ValueError
    address, port = read_end(values["to"])
    sender = _sender(values)
    own = sender is None or "own" in words or within(address, LOOPBACK)
    interface = values.get("by") or ("lo" if sender and own else "eth0")
    on_lo = sender is not None and within(address, LOOPBACK)
    source = source_on_lo(address) if on_lo else _UNKNOWN[family_of(address)]
    return First("udp" if "udp" in words else "tcp", source, address, port, interface, sender, to_pod=own)


def source_on_lo(destination: str) -> str:
    """From where the kernel dials what is on lo: IPv4 from its one address there (127.0.0.6 is none), IPv6 itself."""
    return destination if family_of(destination) == 6 else "127.0.0.1"


def spelled_first(first: First) -> str:
    """As `read_first` reads it, but for the source."""
    there = spelled_end(first.destination, first.port)
    who = (f"uid={first.sender.uid}", f"gid={first.sender.gid}") if first.sender else ()
    words = (*(("udp",) if first.protocol == "udp" else ()), *(("own",) if first.sender and first.to_pod else ()))
    return ",".join((f"to={there}", *who, *words, f"by={first.interface}"))


def spelled_end(address: str, port: int) -> str:
    """As `read_end` reads it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _sender(values: dict[str, str]) -> Sender | None:
    if "uid" not in values:
        if "gid" in values:
            raise ValueError
        return None
    uid = read_number(values["uid"])
    return Sender(uid, read_number(values.get("gid", values["uid"])))


def read_end(text: str) -> tuple[str, int]:
    """An address and a port, the address in brackets if it has colons, as packets bear it. Raises ValueError."""
    address, _, port = text.rpartition(":")
    plain = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    _, first, last = network(plain)
    if first != last or "/" in plain or (":" in plain and plain == address) or not 1 <= read_number(port) <= 65535:
        raise ValueError
    return unmapped(plain), int(port)
