"""A ruleset as chains of iptables, spelled as iptables-save does, and the scripts that put them in. Pure.

For kernels that have no nat chains in nftables' inet tables. A set becomes one rule for each of its elements.
"""

from __future__ import annotations

from init.applied import PREFIX
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
from init.nftables import LOG_BURST
from init.ruleset import InterfaceSet, NetworkSet
from init.verdicts import Count, Drop, Goto, Log, MarkConnection, MarkPacket, Redirect, Reject, Return, Tproxy, Zone
from proa.capture.networks import family_of
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, Final, TypeAlias

    from init.matches import Match
    from init.ruleset import Hook, NamedSet, Rule, Ruleset

Tables: TypeAlias = "dict[str, dict[str, list[str]]]"
"""By table and chain, rules without `-A` and the chain; of the kernel's own chains only the jumps to ours."""

_TABLES: Final = {-300: "raw", -150: "mangle", -100: "nat", 0: "filter"}
"""By a hook's priority."""


class Words(Value):
    """What one match becomes, in the order in which iptables-save prints it."""

    network: str = ""
    interface: str = ""
    protocol: str = ""
    modules: str = ""


def tables(rules: Ruleset, family: int) -> Tables:
    """The chains that do in *family* what *rules* do."""
    sets = {named.name: named for named in rules.sets}
    result: Tables = {}
    for chain in rules.chains:
        table = result.setdefault(_table(chain.hook), {})
        table[_name(chain.name)] = [text for rule in chain.rules for text in _rules(rule, family, sets)]
        if chain.hook:
            table.setdefault(chain.hook.point.upper(), []).append(f"-j {_name(chain.name)}")
    return result


def _table(hook: Hook | None) -> str:
    return _TABLES[hook.priority] if hook else "nat"


def _name(chain: str) -> str:
    return PREFIX + chain.upper()


def _rules(rule: Rule, family: int, sets: Mapping[str, NamedSet]) -> Iterator[str]:
    """One for each combination of the elements of its sets; none if it is not of the family."""
    then = _VERDICTS[type(rule.then)](rule.then, family)
    if not then:
        return
    combinations: list[tuple[Words, ...]] = [()]
    for match in rule.when:
        choices = tuple(_words(match, family, sets))
        combinations = [(*former, words) for former in combinations for words in choices]
    for words in combinations:
        yield _joined(words, rule.why, then)


def _joined(words: tuple[Words, ...], why: str, then: str) -> str:
    protocols = tuple(dict.fromkeys(each.protocol for each in words if each.protocol))
    parts = (
        *(each.network for each in words),
        *(each.interface for each in words),
        *protocols,
        *(each.modules for each in words),
        f'-m comment --comment "{why}"',
        then,
    )
    return " ".join(part for part in parts if part)


def _words(match: Match, family: int, sets: Mapping[str, NamedSet]) -> Iterator[Words]:
    match match:
        case OfFamily(wanted):
            yield from (Words(),) if wanted == family else ()
        case FromNetwork(network) | ToNetwork(network) | ToOutside(network):
            yield from _of_networks(match, (network,), family)
        case FromOne(_, name) | ToOne(_, name):
            named = sets[name]
            yield from _of_networks(match, named.networks if isinstance(named, NetworkSet) else (), family)
        case ArrivingByOne(name) | LeavingByOne(name):
            named = sets[name]
            for interface in named.interfaces if isinstance(named, InterfaceSet) else ():
                yield Words(interface=f"{_WAYS[type(match)]} {interface}")
        case ToPortIn() | OfUserIn() | OfGroupIn():
            yield from _of_spans(match, sets)
        case _:
            yield _WORDS[type(match)](match)


def _of_networks(match: Match, networks: Iterable[str], family: int) -> Iterator[Words]:
    for network in networks:
        if network.endswith("/0"):  # which iptables reads, and does not print
            yield from (Words(),) if family_of(network) == family else ()
        elif family_of(network) == family:
            prefix = "" if "/" in network else f"/{_LONGEST_PREFIX[family]}"
            yield Words(network=f"{_WAYS[type(match)]} {network}{prefix}")


def _of_spans(match: ToPortIn | OfUserIn | OfGroupIn, sets: Mapping[str, NamedSet]) -> Iterator[Words]:
    name = match.ports if isinstance(match, ToPortIn) else match.uids if isinstance(match, OfUserIn) else match.gids
    named = sets[name]
    for first, last in () if isinstance(named, NetworkSet | InterfaceSet) else named.spans:
        match match:
            case ToPortIn(protocol, _):
                ports = str(first) if first == last else f"{first}:{last}"
                yield Words(protocol=f"-p {protocol}", modules=f"-m {protocol} --dport {ports}")
            case OfUserIn():
                yield Words(modules=f"-m owner --uid-owner {_ids(first, last)}")
            case OfGroupIn():
                yield Words(modules=f"-m owner --gid-owner {_ids(first, last)}")


def _ids(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


_ANY: Final = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - the packet's own address, as iptables spells it
_LONGEST_PREFIX: Final = {4: 32, 6: 128}
_WAYS: Final[dict[type, str]] = {
    FromNetwork: "-s",
    FromOne: "-s",
    ToNetwork: "-d",
    ToOne: "-d",
    ToOutside: "! -d",
    ArrivingByOne: "-i",
    LeavingByOne: "-o",
}
_WORDS: Final[dict[type, Callable[[Any], Words]]] = {
    Of: lambda it: Words(protocol=f"-p {it.protocol}"),
    NotTcp: lambda _: Words(protocol="! -p tcp"),
    NotUdp: lambda _: Words(protocol="! -p udp"),
    Arriving: lambda it: Words(interface=f"-i {it.interface}"),
    Leaving: lambda it: Words(interface=f"-o {it.interface}"),
    ToPod: lambda _: Words(modules="-m addrtype --dst-type LOCAL"),
    ToPort: lambda it: Words(protocol=f"-p {it.protocol}", modules=f"-m {it.protocol} --dport {it.port}"),
    FromPort: lambda it: Words(protocol=f"-p {it.protocol}", modules=f"-m {it.protocol} --sport {it.port}"),
    Marked: lambda it: Words(modules=f"-m mark --mark 0x{it.mark:x}"),
    ConnectionMarked: lambda it: Words(modules=f"-m connmark --mark 0x{it.mark:x}"),
    New: lambda _: Words(modules="-m conntrack --ctstate NEW"),
    Established: lambda _: Words(modules="-m conntrack --ctstate ESTABLISHED"),
    Invalid: lambda _: Words(modules="-m conntrack --ctstate INVALID"),
    Reply: lambda _: Words(modules="-m conntrack --ctdir REPLY"),
}
_VERDICTS: Final[dict[type, Callable[[Any, int], str]]] = {
    Return: lambda _, __: "-j RETURN",
    Goto: lambda it, _: f"-g {_name(it.chain)}",
    Redirect: lambda it, _: f"-j REDIRECT --to-ports {it.port}",
    Tproxy: lambda it, family: (
        f"-j TPROXY --on-port {it.port} --on-ip {_ANY[family]} --tproxy-mark 0x{it.mark:x}/0xffffffff"
    ),
    Count: lambda _, __: "",  # every rule of iptables counts
    Zone: lambda it, _: f"-j CT --zone {it.number}",
    MarkPacket: lambda it, _: f"-j MARK --set-xmark 0x{it.mark:x}/0xffffffff",
    MarkConnection: lambda it, _: f"-j CONNMARK --set-xmark 0x{it.mark:x}/0xffffffff",
    Drop: lambda _, __: "-j DROP",
    Reject: lambda _, family: f"-j REJECT --reject-with icmp{'6' if family == 6 else ''}-port-unreachable",
    Log: lambda it, _: f'-m limit --limit {it.rate}/sec --limit-burst {LOG_BURST} -j LOG --log-prefix "{it.prefix}"',
}
"""CT and CONNMARK go on to the next rule, where the ruleset says that none applies: CT takes no second zone, and what
follows a marked connection returns as well.
"""
