"""A ruleset as text for `nft -f -`. Pure.

The text is understood by nft 0.9.8 and later; the kernel needs nat chains in `inet` tables (5.2).
"""

from __future__ import annotations

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
from init.rules import TABLE
from init.ruleset import GroupSet, InterfaceSet, NetworkSet, PortSet, Ruleset, UserSet
from init.verdicts import Count, Drop, Goto, Log, MarkConnection, MarkPacket, Redirect, Reject, Return, Tproxy, Zone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Final

    from init.matches import Match
    from init.ruleset import Chain, NamedSet, Rule
    from init.verdicts import Verdict

_NO_VALUES: Final[Mapping[str, str]] = {}
LOG_BURST: Final = 20
"""Lines that may come at once before the rate holds. Not nft's 5, which some versions print and others do not."""


def script(ruleset: Ruleset) -> str:
    """One transaction that puts *ruleset* in the place of the table, whatever was in it, or whether it was there."""
    return removal(ruleset.table) + table(ruleset)


def first_script(ruleset: Ruleset) -> str:
    """One transaction that makes the table where there is none, and fails with `File exists` where there is one.

    To delete a table the kernel waits for a grace period of its readers: 10 ms that a new pod need not spend.
    Of a ruleset that has networks, it makes no more than the sets, without them: a table that does nothing yet.
    """
    made = Ruleset(ruleset.table, tuple(_sets_alone(ruleset)), (), ()) if networks(ruleset) else ruleset
    return f"create table inet {ruleset.table}\n" + table(made)


def second_script(ruleset: Ruleset) -> str:
    """One transaction that adds all the rest, once the sets have their networks; fails where there are rules."""
    lone = lone_values(ruleset)
    known = tuple(named for named in ruleset.sets if named.name in lone)
    return _bare(ruleset) + table(Ruleset(ruleset.table, known, ruleset.counters[1:], ruleset.chains))


def withdrawal(ruleset: Ruleset) -> str:
    """One transaction that takes back what first_script made; fails where there are rules."""
    return _bare(ruleset) + f"delete table inet {ruleset.table}\n"


def networks(ruleset: Ruleset) -> tuple[NetworkSet, ...]:
    """The sets that nft is spared."""
    return tuple(named for named in ruleset.sets if isinstance(named, NetworkSet))


def _sets_alone(ruleset: Ruleset) -> Iterator[NamedSet]:
    for named in ruleset.sets:
        yield NetworkSet(named.name, named.family, ()) if isinstance(named, NetworkSet) else named


def _bare(ruleset: Ruleset) -> str:
    """Makes a counter, or fails where it is there: then another run has put its rules in the table's place meanwhile.

    Not a chain: what a transaction creates and then names again is an update, for which the kernel waits 10 ms.
    """
    return f"create counter inet {ruleset.table} {ruleset.counters[0]}\n"


def removal(table: str = TABLE) -> str:
    """One transaction after which there is no such table; `add` lets it pass where there was none."""
    return f"add table inet {table}\ndelete table inet {table}\n"


def table(ruleset: Ruleset) -> str:
    """The table alone."""
    lone, lines = lone_values(ruleset), [f"table inet {ruleset.table} {{"]
    for counter in ruleset.counters:
        lines += [f"\tcounter {counter} {{", "\t\tpackets 0 bytes 0", "\t}"]
    for named in ruleset.sets:
        lines += () if named.name in lone else _set_lines(named)
    for chain in ruleset.chains:
        lines += _chain_lines(chain, lone)
    return "\n".join((*lines, "}", ""))


def lone_values(ruleset: Ruleset) -> Mapping[str, str]:
    """Of sets with one number, that number by the set's name: rules compare with it. To ask a set, of whatever size,
    takes a new connection half a microsecond (docs/decisions/0053)."""
    return {
        named.name: str(value)
        for named in ruleset.sets
        if isinstance(named, PortSet | UserSet | GroupSet)
        for value, last in named.spans
        if value == last and len(named.spans) == 1
    }


def _set_lines(named: NamedSet) -> Iterator[str]:
    kind, elements = _KINDS[type(named)], ", ".join(_elements(named))
    if isinstance(named, NetworkSet):
        kind = "ipv4_addr" if named.family == 4 else "ipv6_addr"
    yield f"\tset {named.name} {{"
    yield f"\t\ttype {kind}"
    if not isinstance(named, InterfaceSet):
        yield "\t\tflags interval"
    if elements:  # nft has no word for none
        yield f"\t\telements = {{ {elements} }}"
    yield "\t}"


def _elements(named: NamedSet) -> Iterator[str]:
    match named:
        case NetworkSet():
            yield from named.networks
        case InterfaceSet():
            yield from (f'"{interface}"' for interface in named.interfaces)
        case _:
            yield from (str(first) if first == last else f"{first}-{last}" for first, last in named.spans)


_KINDS: Final = {
    PortSet: "inet_service",
    UserSet: "uid",
    GroupSet: "gid",
    InterfaceSet: "ifname",
    NetworkSet: "ipv4_addr",
}


def _chain_lines(chain: Chain, lone: Mapping[str, str]) -> Iterator[str]:
    yield f"\tchain {chain.name} {{"
    if hook := chain.hook:
        yield f"\t\ttype {hook.kind} hook {hook.point} priority {hook.priority}; policy accept;"
    for rule in chain.rules:
        yield f'\t\t{statement(rule, lone)} comment "{rule.why}"'
    yield "\t}"


def statement(rule: Rule, lone: Mapping[str, str]) -> str:
    """*rule* as nft lists it, but for its comment, in a ruleset of these `lone_values`."""
    return " ".join(words(part, lone) for part in (*rule.when, rule.then))


def words(part: Match | Verdict, lone: Mapping[str, str] = _NO_VALUES) -> str:
    """A match or a verdict as nft lists it."""
    match part:
        case ToPortIn(protocol, name):
            return f"{protocol} dport {lone.get(name, f'@{name}')}"
        case OfUserIn(name):
            return f"meta skuid {lone.get(name, f'@{name}')}"
        case OfGroupIn(name):
            return f"meta skgid {lone.get(name, f'@{name}')}"
        case _:
            return _WORDS[type(part)](part)


def _family(address: str) -> str:
    return "ip6" if ":" in address else "ip"


def _version(family: int) -> str:
    return "ip6" if family == 6 else "ip"


def _counted(counter: str, verdict: str) -> str:
    return f'counter name "{counter}" {verdict}' if counter else verdict


_WORDS: Final[dict[type, Callable[[Any], str]]] = {
    Of: lambda it: f"meta l4proto {it.protocol}",
    NotTcp: lambda _: "meta l4proto != tcp",
    NotUdp: lambda _: "meta l4proto != udp",
    OfFamily: lambda it: f"meta nfproto ipv{it.family}",
    Arriving: lambda it: f'iifname "{it.interface}"',
    Leaving: lambda it: f'oifname "{it.interface}"',
    ArrivingByOne: lambda it: f"iifname @{it.interfaces}",
    LeavingByOne: lambda it: f"oifname @{it.interfaces}",
    FromNetwork: lambda it: f"{_family(it.network)} saddr {it.network}",
    ToNetwork: lambda it: f"{_family(it.network)} daddr {it.network}",
    ToOutside: lambda it: f"{_family(it.network)} daddr != {it.network.removesuffix('/32')}",
    FromOne: lambda it: f"{_version(it.family)} saddr @{it.networks}",
    ToOne: lambda it: f"{_version(it.family)} daddr @{it.networks}",
    ToPod: lambda _: "fib daddr type local",
    ToPort: lambda it: f"{it.protocol} dport {it.port}",
    FromPort: lambda it: f"{it.protocol} sport {it.port}",
    Marked: lambda it: f"meta mark 0x{it.mark:08x}",
    ConnectionMarked: lambda it: f"ct mark 0x{it.mark:08x}",
    New: lambda _: "ct state new",
    Established: lambda _: "ct state established",
    Invalid: lambda _: "ct state invalid",
    Reply: lambda _: "ct direction reply",
    Return: lambda it: _counted(it.counter, "return"),
    Goto: lambda it: f"goto {it.chain}",
    Redirect: lambda it: _counted(it.counter, f"redirect to :{it.port}"),
    Tproxy: lambda it: f"tproxy to :{it.port} meta mark set 0x{it.mark:08x} accept",
    Count: lambda it: f'counter name "{it.counter}"',
    Zone: lambda it: f"ct zone set {it.number} return",
    MarkPacket: lambda it: f"meta mark set 0x{it.mark:08x}",
    MarkConnection: lambda it: f"ct mark set 0x{it.mark:08x} return",
    Drop: lambda it: _counted(it.counter, "drop"),
    Reject: lambda it: _counted(it.counter, "reject"),
    Log: lambda it: f'limit rate {it.rate}/second burst {LOG_BURST} packets log prefix "{it.prefix}"',
}
