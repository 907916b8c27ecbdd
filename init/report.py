"""What a run did, in words for a person or as JSON for a script. Pure."""

from __future__ import annotations

from init.applied import Unavailable
from init.rules import INBOUND_CAPTURED, OUTBOUND_CAPTURED, TABLE
from proa.names import HAIRPIN_IPV6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from init.applied import Applied
    from init.interception import Interception

REMOVED_TEXT: Final = f"removed   table inet {TABLE} and {HAIRPIN_IPV6} on lo: connections go where they are sent\n"


def applied_text(wanted: Interception, applied: Applied) -> str:
    """One line for each thing a pod's owner may wonder about."""
    excluded = ", ".join(map(str, wanted.excluded_inbound_ports)) or "none"
    match applied.hairpin:
        case Unavailable(reason):
            hairpin = f"no IPv6 on lo ({reason}): inbound IPv6 connections cannot be handed to the application"
        case _:
            hairpin = f"{HAIRPIN_IPV6} is on lo: the proxy hands inbound IPv6 connections to the application from there"
    return (
        f"inbound   TCP to the pod goes to port {wanted.inbound_port}; reached directly: {excluded}\n"
        f"outbound  TCP of the pod goes to port {wanted.outbound_port}, unless it stays inside the pod\n"
        f"proxy     user {wanted.proxy_uid} and group {wanted.proxy_gid} connect as they ask\n"
        f"hairpin   {hairpin}\n"
        f"table     inet {TABLE} is in force and was read back; counters {INBOUND_CAPTURED}, {OUTBOUND_CAPTURED}\n"
    )


def applied_json(wanted: Interception, applied: Applied) -> str:
    """The same facts: one JSON object on one line."""
    match applied.hairpin:
        case Unavailable(reason):
            hairpin = {"address": None, "reason": reason}
        case _:
            hairpin = {"address": HAIRPIN_IPV6}
    facts = {field: getattr(wanted, field) for field in wanted.__match_args__}
    return json_line(action="installed", table=TABLE, interception=facts, ipv6_hairpin=hairpin)


def json_line(**facts: object) -> str:
    """*facts* as one JSON object on one line."""
    import json  # noqa: PLC0415 - it takes 10 ms to import, and a pod's init container does not ask for it

    return json.dumps(facts) + "\n"
