"""A ruleset as text for `nft -f -`, and what `nft list table` shows, compared with it. Pure.

The text is understood by nft 0.9.8 and later; the kernel needs nat chains in `inet` tables (5.2).
"""

from __future__ import annotations

from init.rules import (
    TABLE,
    Accept,
    FromAddress,
    Goto,
    Leaving,
    NotTcp,
    OfGroup,
    OfUser,
    Redirect,
    Return,
    Tcp,
    ToOutside,
    ToPortIn,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from init.rules import Chain, Match, PortSet, Rule, Ruleset, Verdict

    Contents: TypeAlias = dict[str, list[str]]

_SPELLINGS: Final = (
    ("l4proto 6 ", "l4proto tcp "),
    ("l4proto != 6 ", "l4proto != tcp "),
    ("priority dstnat", "priority -100"),
)
"""What versions and flags of nft print differently, and one spelling for both."""


def script(ruleset: Ruleset) -> str:
    """One transaction that puts *ruleset* in the place of the table, whatever was in it, or whether it was there."""
    return removal(ruleset.table) + _table(ruleset)


def first_script(ruleset: Ruleset) -> str:
    """One transaction that makes the table where there is none, and fails with `File exists` where there is one.

    To delete a table the kernel waits for a grace period of its readers: 10 ms that a new pod need not spend.
    """
    return f"create table inet {ruleset.table}\n" + _table(ruleset)


def removal(table: str = TABLE) -> str:
    """One transaction after which there is no such table; `add` lets it pass where there was none."""
    return f"add table inet {table}\ndelete table inet {table}\n"


def differences(ruleset: Ruleset, listed: str) -> tuple[str, ...]:
    """What of *ruleset* is missing or otherwise in *listed*, the output of `nft list table`; empty if they are equal.

    Compared are chains with their hook and priority, rules in their order with verdict and comment, the sets' elements
    and the counters' names; not their values.
    """
    wanted, found = _contents(script(ruleset)), _contents(listed)
    headings = dict.fromkeys((*wanted, *found))
    return tuple(text for heading in headings for text in _changes(heading, wanted.get(heading), found.get(heading)))


def _table(ruleset: Ruleset) -> str:
    lines = [f"table inet {ruleset.table} {{"]
    for counter in ruleset.counters:
        lines += [f"\tcounter {counter} {{", "\t\tpackets 0 bytes 0", "\t}"]
    for ports in ruleset.sets:
        lines += _set_lines(ports)
    for chain in ruleset.chains:
        lines += _chain_lines(chain)
    return "\n".join((*lines, "}", ""))


def _set_lines(ports: PortSet) -> Iterator[str]:
    yield f"\tset {ports.name} {{"
    yield "\t\ttype inet_service"
    if ports.ports:
        yield f"\t\telements = {{ {', '.join(map(str, ports.ports))} }}"
    yield "\t}"


def _chain_lines(chain: Chain) -> Iterator[str]:
    yield f"\tchain {chain.name} {{"
    if chain.hook:
        yield f"\t\ttype nat hook {chain.hook.point} priority {chain.hook.priority}; policy accept;"
    for rule in chain.rules:
        yield f"\t\t{_rule(rule)}"
    yield "\t}"


def _rule(rule: Rule) -> str:
    return " ".join((*map(_match, rule.when), _verdict(rule.then), f'comment "{rule.why}"'))


def _match(match: Match) -> str:
    match match:
        case Tcp():
            return "meta l4proto tcp"
        case NotTcp():
            return "meta l4proto != tcp"
        case Leaving(interface):
            return f'oifname "{interface}"'
        case ToPortIn(ports):
            return f"tcp dport @{ports}"
        case FromAddress() | ToOutside():
            return _address(match)
        case OfUser() | OfGroup():
            return _owner(match)


def _address(match: FromAddress | ToOutside) -> str:
    match match:
        case FromAddress(address):
            return f"{_family(address)} saddr {address}"
        case ToOutside(network):
            return f"{_family(network)} daddr != {network}"


def _family(address: str) -> str:
    return "ip6" if ":" in address else "ip"


def _owner(match: OfUser | OfGroup) -> str:
    match match:
        case OfUser(uid):
            return f"meta skuid {uid}"
        case OfGroup(gid):
            return f"meta skgid {gid}"


def _verdict(verdict: Verdict) -> str:
    match verdict:
        case Accept():
            return "accept"
        case Return():
            return "return"
        case Goto(chain):
            return f"goto {chain}"
        case Redirect(port, counter):
            return f'counter name "{counter}" redirect to :{port}'


def _contents(text: str) -> Contents:
    """The lines of every block in *text* by its heading; what stands in no block is left out."""
    path: list[str] = []
    blocks: Contents = {}
    for raw in text.replace("{", "{\n").replace("}", "\n}\n").replace(";", "\n").splitlines():
        line = _plain(raw)
        if line.endswith("{"):
            path.append(line.removesuffix("{").strip())
            blocks[", ".join(path)] = []
        elif line == "}":
            path = path[:-1]
        elif path and line and not line.startswith("packets "):
            blocks[", ".join(path)].append(line)
    return {
        heading: _unordered(lines) if heading.endswith("elements =") else lines for heading, lines in blocks.items()
    }


def _plain(line: str) -> str:
    plain = " ".join(line.replace('"', "").split())
    for printed, meant in _SPELLINGS:
        plain = plain.replace(printed, meant)
    return plain


def _unordered(lines: list[str]) -> list[str]:
    return sorted(element.strip() for element in ",".join(lines).split(",") if element.strip())


def _changes(heading: str, wanted: list[str] | None, found: list[str] | None) -> Iterator[str]:
    if found is None:
        yield f"{heading}: missing"
    elif wanted is None:
        yield f"{heading}: not ours"
    elif sorted(wanted) == sorted(found):
        if wanted != found:
            yield f"{heading}: in another order"
    else:
        yield from (f"{heading}: missing {line}" for line in wanted if line not in found)
        yield from (f"{heading}: not ours {line}" for line in found if line not in wanted)
        yield from (
            f"{heading}: not as often {line}"
            for line in dict.fromkeys(wanted)
            if 0 < found.count(line) != wanted.count(line)
        )
