"""What iptables-save prints, and what iptables-restore is told to turn one state of our chains into another. Pure."""

from __future__ import annotations

from init.applied import PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from init.iptables import Tables


def saved(text: str) -> Tables:
    """What of *text* is ours."""
    result: Tables = {}
    table: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("*"):
            table = result.setdefault(line[1:], {})
        elif line.startswith(f":{PREFIX}"):
            table.setdefault(line[1:].split()[0], [])
        elif line.startswith("-A "):
            chain, _, rule = line.removeprefix("-A ").partition(" ")
            if chain.startswith(PREFIX) or rule.startswith((f"-j {PREFIX}", f"-g {PREFIX}")):
                table.setdefault(chain, []).append(rule.replace("\\", ""))
    return {name: chains for name, chains in result.items() if chains}


def replacement(former: Tables, wanted: Tables) -> str:
    """For `iptables-restore --noflush`, after which our chains are as *wanted*: each table at once, but one by one."""
    names = dict.fromkeys((*wanted, *former))
    return "".join(f"{line}\n" for name in names for line in _table(name, former, wanted))


def differences(wanted: Tables, found: Tables) -> tuple[str, ...]:
    """The headings and lines in which the two differ, as init.listing has them; none if they are the same."""
    from init.listing import changed  # noqa: PLC0415 - of nft, for a few

    return changed(_contents(wanted), _contents(found))


def _table(name: str, former: Tables, wanted: Tables) -> Iterator[str]:
    before, after = former.get(name, {}), wanted.get(name, {})
    own = [chain for chain in (*after, *(set(before) - set(after))) if chain.startswith(PREFIX)]
    yield f"*{name}"
    yield from (f":{chain} - [0:0]" for chain in own)
    for chain, rules in before.items():
        yield from (f"-D {chain} {rule}" for rule in rules if not chain.startswith(PREFIX))
    for chain, rules in after.items():
        verb = "-A" if chain.startswith(PREFIX) else "-I"
        yield from (f"{verb} {chain} {rule}" for rule in rules)
    yield from (f"-X {chain}" for chain in sorted(set(before) - set(after)) if chain.startswith(PREFIX))
    yield "COMMIT"


def _contents(tables: Tables) -> dict[str, list[str]]:
    return {
        f"table {name}, chain {chain}": [_plain(rule) for rule in rules]
        for name, chains in tables.items()
        for chain, rules in chains.items()
    }


def _plain(rule: str) -> str:
    """Without what the kernel rounds."""
    before, limit, after = rule.partition("--limit ")
    return f"{before}{limit}{after.partition(' ')[2]}" if limit else rule
