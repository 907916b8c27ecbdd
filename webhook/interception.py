"""What a pod's annotations say of its interception: read by `proa-init`'s own grammar, spelled as its flags. Pure.

Not offered: the proxy's ports and ids, which Envoy's bootstrap and its container have. Questions for names are captured
on their way to servers that the pod names: whom else to ask would not be known when the bootstrap is made.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from proa import names
from proa.capture.choices import AllDns, DnsTo, NoDns
from proa.capture.interception import Interception
from proa.capture.networks import family_of
from proa.capture.settings import RESOLV_CONF, SETTINGS
from proa.capture.spans import Spans, holds, singles
from proa.errors import Invalid, Refused
from webhook.kinds import Kind

_LISTS: Final = (
    "--include-inbound-ports",
    "--exclude-inbound-ports",
    "--include-outbound-cidrs",
    "--exclude-outbound-cidrs",
    "--include-outbound-ports",
    "--exclude-outbound-ports",
    "--outbound-ports-anywhere",
    "--exclude-interfaces",
    "--virtual-interfaces",
    "--exclude-users",
    "--include-gids",
    "--exclude-gids",
)
_CHOICES: Final = ("--dns", "--udp", "--quic", "--ipv4", "--ipv6", "--drop-invalid", "--log-rate")
OFFERED: Final = ("--inbound-mode", *_LISTS, *_CHOICES)
_LONGEST: Final = 1024
"""Characters of a setting: contradictions are looked for between each two of its items."""
_LONGEST_NETWORKS: Final = 16_384
_MOST: Final = 32
"""Contradictions that a pod is told of: thousands of words of one list may each be none."""
_NETWORKS: Final = ("--include-outbound-cidrs", "--exclude-outbound-cidrs")
_DNS: Final = "--dns"
_SERVERS: Final = "off, or addresses of name servers with commas between"
EXCLUDED_INBOUND: Final = "--exclude-inbound-ports"
_SIDECARS: Final = singles(names.READY_PORT, names.METRICS_PORT)
"""What the kubelet and Prometheus reach directly, whatever else a pod excludes."""
HARMLESS: Final = (
    *("--inbound-mode", "--outbound-ports-anywhere", "--dns", "--udp", "--quic"),
    *("--drop-invalid", "--log-rate"),
)
"""Settings that take nothing from the proxy, whatever their value is."""
_FIELDS: Final = {SETTINGS[flag].field: flag for flag in OFFERED}


def kind(flag: str) -> Kind[str]:
    """Of the annotation for *flag*: its text as the flag takes it, spelled in one way."""
    setting = SETTINGS[flag]
    longest = _LONGEST_NETWORKS if flag in _NETWORKS else _LONGEST

    def read(text: str) -> str:
        if len(text) > longest:
            raise ValueError
        return setting.spell(_beside_the_sidecars(flag, _known(setting.read(text))))

    allowed = _SERVERS if flag == _DNS else setting.allowed
    return Kind(f"{allowed}; at most {longest} characters" if flag in (*_LISTS, _DNS) else allowed, read)


def default(flag: str) -> str:
    """As the flag takes it."""
    return SETTINGS[flag].spell(getattr(Interception, SETTINGS[flag].field))


def arguments(told: Mapping[str, str]) -> tuple[str, ...]:
    """`proa-init`'s for what each flag of *told* is to be: none for what is so anyway."""
    return tuple(f"{flag}={told[flag]}" for flag in OFFERED if flag in told and told[flag] != default(flag))


@lru_cache(maxsize=256)
def interception(intercepting: tuple[str, ...], ports: tuple[int, ...] = ()) -> Interception:
    """What *intercepting*, arguments of `proa-init`, make of a pod whose sidecar others reach at these *ports*, too.

    Raises Refused.
    """
    told = {flag: value for flag, _, value in (each.partition("=") for each in intercepting)}
    if ports:
        reached = excluded_too(f"{EXCLUDED_INBOUND}={told.get(EXCLUDED_INBOUND, default(EXCLUDED_INBOUND))}", ports)
        told[EXCLUDED_INBOUND] = reached.partition("=")[2]
    values: dict[str, Any] = {SETTINGS[flag].field: SETTINGS[flag].read(text) for flag, text in told.items()}
    return Interception(**values)


def contradictions(told: Mapping[str, str], where: Mapping[str, str]) -> Iterable[Invalid]:
    """What is wrong with them as a whole. *where* each flag was said, for those that were."""
    if not told:
        return
    values: dict[str, Any] = {SETTINGS[flag].field: SETTINGS[flag].read(text) for flag, text in told.items()}
    try:
        for found, allowed in _unanswered(Interception(**values)):
            yield Invalid(where[_DNS], found, allowed)
    except Refused as refused:
        for problem in refused.problems[:_MOST]:
            flag = _FIELDS[problem.field]
            field = where.get(flag) or f"the default of {names.PREFIX}/{flag[2:]}"
            yield Invalid(field, problem.found, problem.allowed)


def _unanswered(wanted: Interception) -> Iterator[tuple[str, str]]:
    """Of the servers whose questions the sidecar is to answer, those that it cannot."""
    if wanted.virtual_interfaces and not isinstance(wanted.dns, NoDns):
        # The kernel would send what comes by them to an address of theirs.
        allowed = "off, beside virtual-interfaces: the sidecar answers on loopback alone"
        yield SETTINGS[_DNS].spell(wanted.dns), allowed
    for server in wanted.dns.servers if isinstance(wanted.dns, DnsTo) else ():
        policy = wanted.ipv6 if family_of(server) == 6 else wanted.ipv4
        if policy != "capture":
            yield server, f"servers of a family that is captured; its policy is {policy}"


def excluded_too(argument: str, ports: Iterable[int]) -> str:
    """The *argument* of the inbound ports that are reached directly, with *ports* among them."""
    flag, _, text = argument.partition("=")
    return f"{flag}={SETTINGS[flag].spell(_among(SETTINGS[flag].read(text), singles(*ports)))}"


def letting_by(intercepting: Iterable[str]) -> tuple[str, ...]:
    """Those of the *arguments* by which something may pass by the proxy that would not without them."""
    return tuple(each for each in intercepting if each.partition("=")[0] not in HARMLESS)


def _known(value: Any) -> Any:
    """*value*, unless it is name servers that only the pod itself will know. Raises ValueError."""
    if isinstance(value, AllDns) or (isinstance(value, DnsTo) and RESOLV_CONF in value.servers):
        raise ValueError
    return value


def _beside_the_sidecars(flag: str, value: Any) -> Any:
    return _among(value, _SIDECARS) if flag == EXCLUDED_INBOUND else value


def _among(value: Any, ports: Spans) -> Any:
    """*value* and those of the *ports* that it does not hold."""
    return (*value, *(span for span in ports if not holds(value, span[0])))
