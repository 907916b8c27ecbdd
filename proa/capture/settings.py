"""Every setting of an interception once: its flag, its field, its grammar, what it is for. Pure."""

from __future__ import annotations

from proa.capture.choices import AllDns, DnsTo, ExcludedUsers, NoDns, Redirected, Tproxied
from proa.capture.interception import Interception
from proa.capture.networks import EVERYWHERE
from proa.capture.spans import ALL_IDS, ALL_PORTS, read_number, read_spans, spelled
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from proa.capture.choices import Dns, InboundMode
    from proa.capture.spans import Spans

RESOLV_CONF: Final = "resolv.conf"
"""Stands for the servers that the pod's /etc/resolv.conf names."""


class Setting(Value):
    """A flag with a value."""

    field: str
    """Of Interception."""
    read: Callable[[str], object]
    """Raises ValueError."""
    spell: Callable[[Any], str]
    """What *read* reads."""
    allowed: str
    purpose: str


def _ports(text: str) -> Spans:
    return ALL_PORTS if text == "*" else read_spans(text)


def _ids(text: str) -> Spans:
    return ALL_IDS if text == "*" else read_spans(text)


def _networks(text: str) -> tuple[str, ...]:
    return EVERYWHERE if text == "*" else _names(text)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(",")) if text else ()
    if "" in names:
        raise ValueError
    return names


def _users(text: str) -> tuple[ExcludedUsers, ...]:
    return tuple(map(_users_of_one, text.split(";"))) if text else ()


def _users_of_one(text: str) -> ExcludedUsers:
    uids, colon, ports = text.partition(":")
    return ExcludedUsers(read_spans(uids), _ports(ports)) if colon else ExcludedUsers(read_spans(uids))


def _mode(text: str) -> InboundMode:
    mode, *numbers = text.split(":")
    if text == "redirect":
        return Redirected()
    if mode != "tproxy" or len(numbers) not in {0, 2}:
        raise ValueError
    return Tproxied(*map(read_number, numbers))


def _dns(text: str) -> Dns:
    known: dict[str, Dns] = {"off": NoDns(), "all": AllDns(), RESOLV_CONF: DnsTo((RESOLV_CONF,))}
    return known[text] if text in known else DnsTo(_names(text))


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return read


def _switch(text: str) -> bool:
    return {"true": True, "false": False}[_one_of("true", "false")(text)]


def _all_or(everything: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], str]:
    def spell(value: tuple[Any, ...]) -> str:
        if value == everything:
            return "*"
        return ",".join(value) if value and isinstance(value[0], str) else spelled(value)

    return spell


def _spell_users(users: tuple[ExcludedUsers, ...]) -> str:
    return ";".join(f"{spelled(each.uids)}:{_all_or(ALL_PORTS)(each.ports)}".removesuffix(":*") for each in users)


def _spell_mode(mode: InboundMode) -> str:
    return f"tproxy:{mode.mark}:{mode.table}" if isinstance(mode, Tproxied) else "redirect"


def _spell_dns(dns: Dns) -> str:
    match dns:
        case NoDns():
            return "off"
        case AllDns():
            return "all"
        case DnsTo(servers):
            return ",".join(servers)


_PORTS: Final = "ports and ranges such as 80,3000-3100, or *, or nothing"
_IDS: Final = "numbers and ranges such as 1337,2000-2010, or *, or nothing"
_NETWORKS: Final = "networks such as 10.0.0.0/8,fd00::/8, or *, or nothing"
_NAMES: Final = "names with commas between, or nothing"
_DATAGRAMS: Final = "bypass, drop or reject"
_FAMILIES: Final = "capture, bypass or drop"


def _of_ports(field: str, purpose: str) -> Setting:
    return Setting(field, _ports, _all_or(ALL_PORTS), _PORTS, purpose)


def _of_ids(field: str, purpose: str) -> Setting:
    return Setting(field, _ids, _all_or(ALL_IDS), _IDS, purpose)


def _of_networks(field: str, purpose: str) -> Setting:
    return Setting(field, _networks, _all_or(EVERYWHERE), _NETWORKS, purpose)


def _of_names(field: str, purpose: str) -> Setting:
    return Setting(field, _names, ",".join, _NAMES, purpose)


def _of_number(field: str, purpose: str) -> Setting:
    return Setting(field, read_number, str, "a number", purpose)


def _of_words(field: str, purpose: str, words: str) -> Setting:
    return Setting(field, _one_of(*words.replace(" or", ",").split(", ")), str, words, purpose)


SETTINGS: Final = {
    "--proxy-uid": _of_ids("proxy_uids", "users the proxy runs as"),
    "--proxy-gid": _of_ids("proxy_gids", "groups the proxy runs as"),
    "--outbound-port": _of_number("outbound_port", "proxy's port for what the pod dials"),
    "--inbound-port": _of_number("inbound_port", "proxy's port for what dials the pod"),
    "--dns-port": _of_number("dns_port", "proxy's port for questions, on loopback"),
    "--inbound-mode": Setting(
        "inbound_mode",
        _mode,
        _spell_mode,
        "redirect, tproxy or tproxy:MARK:TABLE",
        "tproxy keeps the client's address, and takes NET_RAW for the proxy",
    ),
    "--include-inbound-ports": _of_ports("included_inbound_ports", "ports that others reach through the proxy"),
    "--exclude-inbound-ports": _of_ports("excluded_inbound_ports", "ports reached directly"),
    "--tunnel-ports": _of_ports("tunnel_ports", "proxy's ports that others dial as they are"),
    "--include-outbound-cidrs": _of_networks("included_outbound_cidrs", "networks dialled through the proxy"),
    "--exclude-outbound-cidrs": _of_networks("excluded_outbound_cidrs", "networks dialled directly"),
    "--include-outbound-ports": _of_ports("included_outbound_ports", "of those networks, only these ports"),
    "--exclude-outbound-ports": _of_ports("excluded_outbound_ports", "ports dialled directly"),
    "--outbound-ports-anywhere": _of_ports("outbound_ports_anywhere", "ports dialled through the proxy at any address"),
    "--exclude-interfaces": _of_names("excluded_interfaces", "interfaces left alone"),
    "--virtual-interfaces": _of_names("virtual_interfaces", "bridges of machines or containers inside the pod"),
    "--exclude-users": Setting(
        "excluded_users", _users, _spell_users, "UIDS, or UIDS:PORTS, with ; between, or nothing", "users left alone"
    ),
    "--include-gids": _of_ids("included_gids", "groups whose connections are captured"),
    "--exclude-gids": _of_ids("excluded_gids", "groups left alone"),
    "--dns": Setting(
        "dns", _dns, _spell_dns, f"off, all, {RESOLV_CONF} or servers' addresses", "questions the proxy answers"
    ),
    "--udp": _of_words("udp", "datagrams of the application, but to port 53", _DATAGRAMS),
    "--quic": _of_words("quic", "its datagrams to port 443", _DATAGRAMS),
    "--ipv4": _of_words("ipv4", "connections of this family", _FAMILIES),
    "--ipv6": _of_words("ipv6", "connections of this family", _FAMILIES),
    "--loopback": Setting("loopback", str, str, "a network in 127.0.0.0/8", "IPv4 loopback, as the proxy sees it"),
    "--drop-invalid": Setting(
        "drop_invalid", _switch, lambda on: str(on).lower(), "true or false", "drop what conntrack cannot place"
    ),
    "--log-rate": _of_number("log_rate", "lines a second in the node's kernel log, of each kind"),
}


def described(wanted: Interception) -> dict[str, str]:
    """Each setting of *wanted* by its flag without the dashes, as the flag takes it."""
    return {flag[2:]: setting.spell(getattr(wanted, setting.field)) for flag, setting in SETTINGS.items()}
