"""A connection that somebody asks about, as the first packet that the rules of a pod meet. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from init.dialling import LOOPBACK, read_end, source_on_lo
from init.fate import First
from init.matches import Protocol
from installation.senders import sender
from installation.trees import listed, text
from proa.capture.interception import Interception
from proa.capture.networks import family_of, network, unmapped, within
from proa.capture.spans import LAST_ID, LAST_PORT
from proa.errors import Invalid, Problems, shown
from proa.json import Json

_DOCUMENTATION: Final = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Addresses for documents (RFC 5737, RFC 3849): a pod of a file has none yet, and only their family decides."""
_LOCALHOST: Final = {4: "127.0.0.1", 6: "::1"}
"""What the kernel dials for `_ANY`."""
_ANY: Final = ("0.0.0.0/32", "::/128")
_SUBJECT: Final = "the connection"
_ENDS: Final = "an address and a port such as 10.0.0.5:443 or [fd00::5]:443; names are not looked up"


@dataclass(frozen=True, slots=True)
class Outbound:
    """What a process of *container* dials, of the pod's first if it is "". Raises Refused.

    *to* is `10.0.0.5:443` or `[fd00::5]:443`; an id that is None is what the pod says.
    """

    to: str
    protocol: Protocol
    interface: str
    container: str = ""
    uid: int | None = None
    gid: int | None = None

    def __post_init__(self) -> None:
        problems = Problems()
        with problems.collected():
            self.end()
        ids = (("--uid", self.uid), ("--gid", self.gid))
        problems.add(_outside(flag, each, 0, LAST_ID) for flag, each in ids if each and not 0 <= each <= LAST_ID)
        problems.refuse(_SUBJECT)

    def end(self) -> tuple[str, int]:
        """The address and the port. Raises Invalid."""
        try:
            address, port = read_end(self.to)
        except ValueError:
            raise Invalid("--to", shown(self.to), _ENDS) from None
        return _LOCALHOST[family_of(address)] if within(address, _ANY) else address, port


@dataclass(frozen=True, slots=True)
class Inbound:
    """What somebody at *source* dials at *port* of the pod. Raises Refused."""

    source: str
    port: int
    protocol: Protocol
    interface: str

    def __post_init__(self) -> None:
        problems = Problems()
        if not _is_address(self.source):
            problems.add([Invalid("--from", shown(self.source), "an address such as 10.0.0.5 or fd00::5")])
        if not 1 <= self.port <= LAST_PORT:
            problems.add([_outside("--port", self.port, 1, LAST_PORT)])
        problems.refuse(_SUBJECT)


Connection: TypeAlias = Outbound | Inbound


@dataclass(frozen=True, slots=True)
class Seen:
    """*first* as the pod's kernel sees it; *notes* say what was taken for granted."""

    first: First
    notes: tuple[str, ...]


def seen(asked: Connection, pod: Json, wanted: Interception) -> Seen:
    """Raises Invalid where the pod has no such container or no address of the family, or would have dialled itself."""
    addresses = [text(each, "ip") for each in listed(pod, "status", "podIPs")]
    notes = tuple(_unaddressed(addresses))
    match asked:
        case Inbound(given, port, protocol, interface):
            source = unmapped(given)
            if within(source, (*LOOPBACK, *addresses)):
                raise Invalid("--from", source, "an address outside the pod: what is dialled inside it goes with --to")
            own = _own("--from", source, addresses)
            return Seen(First(protocol, source, own, port, interface, to_pod=True), notes)
        case Outbound():
            address, port = asked.end()
            inside = within(address, LOOPBACK)
            itself = inside or within(address, addresses)
            source = source_on_lo(address) if inside else _own("--to", address, addresses)
            by, more = sender(pod, asked.container, (asked.uid, asked.gid), wanted)
            interface = "lo" if itself else asked.interface
            return Seen(First(asked.protocol, source, address, port, interface, by, to_pod=itself), (*notes, *more))


def _own(flag: str, other: str, addresses: list[str]) -> str:
    """The pod's address of the family of *other*, which *flag* says."""
    family = family_of(other)
    found = (each for each in addresses or (_DOCUMENTATION[family],) if family_of(each) == family)
    if own := next(found, ""):
        return own
    raise Invalid(flag, other, f"an address of a family that the pod has: it is {', '.join(addresses)}")


def _unaddressed(addresses: list[str]) -> Iterator[str]:
    if not addresses:
        yield "the pod has no address yet: any but of loopback counts as another's"


def _is_address(given: str) -> bool:
    try:
        _, first, last = network(given)
    except ValueError:
        return False
    return first == last and "/" not in given


def _outside(field: str, found: int, first: int, last: int) -> Invalid:
    return Invalid(field, str(found), f"{first} to {last}")
