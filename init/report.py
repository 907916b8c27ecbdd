"""What a run did, in words for a person or as JSON for a script. Pure."""

from __future__ import annotations

from init.applied import PREFIX, Unavailable
from init.counters import INBOUND_CAPTURED, OUTBOUND_CAPTURED
from init.rules import TABLE
from proa.capture.settings import described
from proa.capture.spans import spelled
from proa.names import HAIRPIN_IPV6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from init.applied import Applied
    from init.fate import Fate
    from init.tracing import Told
    from init.walking import Way
    from proa.capture.interception import Interception

REMOVED_TEXT: Final = f"removed   the rules and {HAIRPIN_IPV6} on lo: connections go where they are sent\n"


def applied_text(wanted: Interception, applied: Applied) -> str:
    """One line for each thing a pod's owner may wonder about."""
    match applied.hairpin:
        case Unavailable(reason):
            address = f"no IPv6 on lo ({reason}): inbound IPv6 connections cannot be handed to the application"
        case _:
            address = f"{HAIRPIN_IPV6} is on lo: the proxy hands inbound IPv6 connections to the application from there"
    default = described(type(wanted)())
    others = (f"{name}={value}" for name, value in described(wanted).items() if value != default[name])
    before = "in force already" if applied.unchanged else "in force and read back"
    return (
        f"inbound   TCP to the pod goes to port {wanted.inbound_port}; "
        f"reached directly: {spelled(wanted.excluded_inbound_ports) or 'none'}\n"
        f"outbound  TCP of the pod goes to port {wanted.outbound_port}, unless it stays inside the pod\n"
        f"proxy     users {spelled(wanted.proxy_uids) or 'none'} and groups {spelled(wanted.proxy_gids) or 'none'} "
        "connect as they ask\n"
        f"settings  {' '.join(others) or 'all as by default'}\n"
        f"hairpin   {address}\n"
        f"backend   {applied.backend}: {applied.reason}\n"
        f"rules     {_where(applied)} {before}\n"
    )


def applied_json(wanted: Interception, applied: Applied) -> str:
    """The same facts: one JSON object on one line."""
    match applied.hairpin:
        case Unavailable(reason):
            hairpin = {"address": None, "reason": reason}
        case _:
            hairpin = {"address": HAIRPIN_IPV6}
    action = "unchanged" if applied.unchanged else "installed"
    backend = {"name": applied.backend, "reason": applied.reason}
    return json_line(action=action, table=TABLE, backend=backend, interception=described(wanted), ipv6_hairpin=hairpin)


def explained(way: Way, output: str) -> str:
    """The rules a packet meets, and what becomes of it."""
    text = "".join(f"{met.chain}: {met.rule.why}\n" for met in way.met)
    met = [{"chain": each.chain, "rule": each.rule.why} for each in way.met]
    return _with_outcome(text, way.fate, output, action="none", met=met)


def traced(found: tuple[Told, ...], fate: Fate, output: str) -> str:
    """The rules of any table that a packet met, by the kernel, and what became of it."""
    text = "".join(f"{each.table} {each.chain}: {each.why} ({each.verdict})\n" for each in found)
    met = [{"table": each.table, "chain": each.chain, "rule": each.why, "verdict": each.verdict} for each in found]
    return _with_outcome(text, fate, output, action="traced", met=met)


def _with_outcome(text: str, fate: Fate, output: str, **facts: object) -> str:
    from init.fate import Captured  # noqa: PLC0415 - only who asks pays for it

    outcome = type(fate).__name__.lower()
    port = fate.port if isinstance(fate, Captured) else None
    ending = f"{outcome} at port {port}\n" if port else f"{outcome}\n"
    return said(output, f"{text}{ending}", **facts, outcome=outcome, port=port)


def _where(applied: Applied) -> str:
    if applied.backend == "nftables":
        return f"table inet {TABLE} with counters {INBOUND_CAPTURED}, {OUTBOUND_CAPTURED}"
    return f"chains {PREFIX}* of iptables and ip6tables"


def said(output: str, text: str, **facts: object) -> str:
    """*text* for a person, *facts* for a script."""
    return json_line(**facts) if output == "json" else text


def json_line(**facts: object) -> str:
    """*facts* as one JSON object on one line."""
    import json  # noqa: PLC0415 - it takes 10 ms to import, and a pod's init container does not ask for it

    return json.dumps(facts) + "\n"
