"""The kernel's way through a ruleset, by its documentation: chains by hook and priority, the first match decides. Pure.

It answers which rules a connection's first packet meets. Tests hold it against the model, and the model to the kernel.
"""

from __future__ import annotations

from init.fate import Captured, Direct, Dropped, Rejected
from init.matches import (
    Arriving,
    ArrivingByOne,
    ConnectionMarked,
    Established,
    FromNetwork,
    FromOne,
    FromPort,
    Invalid,
    Leaving,
    LeavingByOne,
    Marked,
    New,
    NotTcp,
    NotUdp,
    Of,
    OfFamily,
    OfGroupIn,
    OfUserIn,
    Reply,
    ToNetwork,
    ToOne,
    ToOutside,
    ToPod,
    ToPort,
    ToPortIn,
)
from init.verdicts import Drop, Goto, MarkConnection, Redirect, Reject, Return, Tproxy, Zone
from proa.capture.networks import family_of, within
from proa.capture.spans import holds
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Final

    from init.fate import Fate, First
    from init.matches import Match
    from init.ruleset import Chain, Rule, Ruleset
    from init.verdicts import Verdict


class Met(Value):
    """A rule that matched, and the chain it stands in."""

    chain: str
    rule: Rule


class Way(Value):
    """The rules that matched, in the order in which they did, and what became of the packet."""

    met: tuple[Met, ...]
    fate: Fate


def way(rules: Ruleset, first: First) -> Way:
    """What *rules* make of *first*."""
    point = "output" if first.sender else "prerouting"
    hooked = [(chain.hook.priority, chain) for chain in rules.chains if chain.hook and chain.hook.point == point]
    met: list[Met] = []
    for _, chain in sorted(hooked, key=lambda each: each[0]):
        met += _met(rules, chain, first)
        if found := _final(met[-1].rule.then if met else None):
            return Way(tuple(met), found)
    return Way(tuple(met), Direct())


def _final(verdict: Verdict | None) -> Fate | None:
    """Nothing, if chains of later hooks are asked."""
    match verdict:
        case Redirect(port, _) | Tproxy(port, _):
            return Captured(port)
        case Drop():
            return Dropped()
        case Reject():
            return Rejected()
        case _:
            return None


def _met(rules: Ruleset, chain: Chain, first: First) -> Iterator[Met]:
    """The last one decides, unless it is of those after which the next one is asked: Count, Log, MarkPacket."""
    sets = {named.name: named for named in rules.sets}
    for rule in chain.rules:
        if not all(_QUESTIONS[type(match)](match, first, sets) for match in rule.when):
            continue
        yield Met(chain.name, rule)
        match rule.then:
            case Goto(name):
                yield from _met(rules, next(other for other in rules.chains if other.name == name), first)
                return
            case Return() | Zone() | MarkConnection() | Redirect() | Tproxy() | Drop() | Reject():
                return
            case _:
                pass


def _to_outside(it: ToOutside, first: First, _: object) -> bool:
    alike = family_of(it.network) == family_of(first.destination)
    return alike and not within(first.destination, (it.network,))


def _never(*_: object) -> bool:
    """Holds of no first packet of a connection: answers and strays."""
    return False


_QUESTIONS: Final[dict[type[Match], Callable[[Any, First, Mapping[str, Any]], bool]]] = {
    Of: lambda it, first, _: first.protocol == it.protocol,
    NotTcp: lambda _, first, __: first.protocol != "tcp",
    NotUdp: lambda _, first, __: first.protocol != "udp",
    OfFamily: lambda it, first, _: family_of(first.destination) == it.family,
    Arriving: lambda it, first, _: first.sender is None and first.interface == it.interface,
    Leaving: lambda it, first, _: first.sender is not None and first.interface == it.interface,
    ArrivingByOne: lambda it, first, sets: first.sender is None and first.interface in sets[it.interfaces].interfaces,
    LeavingByOne: lambda it, first, sets: (
        first.sender is not None and first.interface in sets[it.interfaces].interfaces
    ),
    FromNetwork: lambda it, first, _: within(first.source, (it.network,)),
    ToNetwork: lambda it, first, _: within(first.destination, (it.network,)),
    ToOutside: _to_outside,
    ToOne: lambda it, first, sets: within(first.destination, sets[it.networks].networks),
    ToPod: lambda _, first, __: first.to_pod,
    ToPort: lambda it, first, _: (first.protocol, first.port) == (it.protocol, it.port),
    ToPortIn: lambda it, first, sets: first.protocol == it.protocol and holds(sets[it.ports].spans, first.port),
    OfUserIn: lambda it, first, sets: first.sender is not None and holds(sets[it.uids].spans, first.sender.uid),
    OfGroupIn: lambda it, first, sets: first.sender is not None and holds(sets[it.gids].spans, first.sender.gid),
    Marked: lambda _, first, __: first.sender is not None and first.sender.marked,
    New: lambda _, __, ___: True,
    Established: _never,
    FromOne: _never,
    FromPort: _never,
    Invalid: _never,
    Reply: _never,
    ConnectionMarked: _never,
}
