"""A connection as a person writes it, for the question which rules it meets. Pure."""

from __future__ import annotations

from init.fate import First, Sender
from proa.capture.networks import family_of, network, within
from proa.capture.spans import read_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

ALLOWED: Final = "such as to=10.96.0.10:80,uid=1000 of the pod, or to=[fd00::2]:8080 of others; udp, gid=, by=eth1, own"
_KEYS: Final = frozenset({"to", "uid", "gid", "by"})
_WORDS: Final = frozenset({"tcp", "udp", "own"})
_LOOPBACK: Final = ("127.0.0.0/8", "::1")


def read_first(text: str) -> First:
    """Words and keys with values, with commas between; `own` says that the address is the pod's. Raises ValueError.

    With a user it leaves the pod, without one it arrives. It goes by eth0, or by lo where it stays in the pod.
    """
    parts = [part.partition("=") for part in text.split(",")]
    values = {key: value for key, joined, value in parts if joined}
    words = {word for word, joined, _ in parts if not joined}
    if values.keys() - _KEYS or words - _WORDS or "to" not in values or len(values) + len(words) != len(parts):
        raise ValueError
    address, port = _end(values["to"])
    sender = _sender(values)
    own = sender is None or "own" in words or within(address, _LOOPBACK)
    interface = values.get("by") or ("lo" if sender and own else "eth0")
    source = "::" if family_of(address) == 6 else "0.0.0.0"  # noqa: S104 - not the hairpin's
    return First("udp" if "udp" in words else "tcp", source, address, port, interface, sender, to_pod=own)


def _sender(values: dict[str, str]) -> Sender | None:
    if "uid" not in values:
        if "gid" in values:
            raise ValueError
        return None
    uid = read_number(values["uid"])
    return Sender(uid, read_number(values.get("gid", values["uid"])))


def _end(text: str) -> tuple[str, int]:
    """An address and a port, the address in brackets if it has colons."""
    address, _, port = text.rpartition(":")
    plain = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    _, first, last = network(plain)
    if first != last or "/" in plain or (":" in plain and plain == address) or not 1 <= read_number(port) <= 65535:
        raise ValueError
    return plain, int(port)
