"""The kernel's way through a ruleset, by its documentation: chains by hook and priority, the first match decides."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from init.fate import Captured, Direct, Dropped, Fate, First, Rejected
from init.matches import (
    Arriving,
    ArrivingByOne,
    ConnectionMarked,
    FromNetwork,
    FromOne,
    FromPort,
    Invalid,
    Leaving,
    LeavingByOne,
    Marked,
    Match,
    New,
    NotTcp,
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
from init.ruleset import Chain, NamedSet, Ruleset
from init.verdicts import Drop, Goto, Redirect, Reject, Return, Tproxy, Verdict
from proa.capture.networks import family_of, within
from proa.capture.spans import holds


def walked(rules: Ruleset, first: First) -> Fate:
    """What the rules make of the first packet of a connection."""
    point = "output" if first.sender else "prerouting"
    hooked = [chain for chain in rules.chains if chain.hook and chain.hook.point == point]
    for chain in sorted(hooked, key=lambda each: each.hook.priority if each.hook else 0):
        match _decided(rules, chain, first):
            case Redirect(port, _) | Tproxy(port, _):
                return Captured(port)
            case Drop():
                return Dropped()
            case Reject():
                return Rejected()
            case _:
                continue
    return Direct()


def _decided(rules: Ruleset, chain: Chain, first: First) -> Verdict | None:
    for rule in chain.rules:
        if not all(_holds(rules, match, first) for match in rule.when):
            continue
        match rule.then:
            case Goto(name):
                return _decided(rules, next(other for other in rules.chains if other.name == name), first)
            case Return() | Redirect() | Tproxy() | Drop() | Reject():
                return rule.then
            case _:  # counted, logged, marked, put into a zone: none of it decides where the first packet goes
                continue
    return None


def _holds(rules: Ruleset, match: Match, first: First) -> bool:
    return _QUESTIONS[type(match)](match, first, {named.name: named for named in rules.sets})


def _among(number: int, named: NamedSet) -> bool:
    return holds(named.spans, number)  # type: ignore[union-attr] - of ports, users or groups


def _to_outside(it: ToOutside, first: First, _: object) -> bool:
    alike = family_of(it.network) == family_of(first.destination)
    return alike and not within(first.destination, (it.network,))


def _never(*_: object) -> bool:
    """Holds of no first packet that the tests ask about."""
    return False


_QUESTIONS: Final[dict[type, Callable[[Any, First, Mapping[str, Any]], bool]]] = {
    Of: lambda it, first, _: first.protocol == it.protocol,
    NotTcp: lambda _, first, __: first.protocol != "tcp",
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
    ToPortIn: lambda it, first, sets: first.protocol == it.protocol and _among(first.port, sets[it.ports]),
    OfUserIn: lambda it, first, sets: first.sender is not None and _among(first.sender.uid, sets[it.uids]),
    OfGroupIn: lambda it, first, sets: first.sender is not None and _among(first.sender.gid, sets[it.gids]),
    Marked: lambda _, first, __: first.sender is not None and first.sender.marked,
    New: lambda *_: True,
    FromOne: _never,
    FromPort: _never,
    Invalid: _never,
    Reply: _never,
    ConnectionMarked: _never,
}
