"""What a pod's annotations say of its interception: read by `proa-init`'s own grammar, spelled as its flags. Pure.

Not offered: the proxy's ports and ids, which Envoy's bootstrap and its container have; capture of questions for names
and TPROXY, for which Envoy is given no listener.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from proa import names
from proa.capture.interception import Interception
from proa.capture.settings import SETTINGS
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
OFFERED: Final = (*_LISTS, "--udp", "--quic", "--ipv4", "--ipv6", "--drop-invalid", "--log-rate")
_LONGEST: Final = 1024
"""Characters of a setting: contradictions are looked for between each two of its items."""
_LONGEST_NETWORKS: Final = 16_384
_MOST: Final = 32
"""Contradictions that a pod is told of: thousands of words of one list may each be none."""
_NETWORKS: Final = ("--include-outbound-cidrs", "--exclude-outbound-cidrs")
EXCLUDED_INBOUND: Final = "--exclude-inbound-ports"
_SIDECARS: Final = singles(names.READY_PORT, names.METRICS_PORT)
"""What the kubelet and Prometheus reach directly, whatever else a pod excludes."""
_HARMLESS: Final = frozenset({"--outbound-ports-anywhere", "--udp", "--quic", "--drop-invalid", "--log-rate"})
"""Settings that take nothing from the proxy, whatever their value is."""
_FIELDS: Final = {SETTINGS[flag].field: flag for flag in OFFERED}


def kind(flag: str) -> Kind[str]:
    """Of the annotation for *flag*: its text as the flag takes it, spelled in one way."""
    setting = SETTINGS[flag]
    longest = _LONGEST_NETWORKS if flag in _NETWORKS else _LONGEST

    def read(text: str) -> str:
        if len(text) > longest:
            raise ValueError
        return setting.spell(_beside_the_sidecars(flag, setting.read(text)))

    return Kind(f"{setting.allowed}; at most {longest} characters" if flag in _LISTS else setting.allowed, read)


def default(flag: str) -> str:
    """As the flag takes it."""
    return SETTINGS[flag].spell(getattr(Interception, SETTINGS[flag].field))


def arguments(told: Mapping[str, str]) -> tuple[str, ...]:
    """`proa-init`'s for what each flag of *told* is to be: none for what is so anyway."""
    return tuple(f"{flag}={told[flag]}" for flag in OFFERED if flag in told and told[flag] != default(flag))


def contradictions(told: Mapping[str, str], where: Mapping[str, str]) -> Iterable[Invalid]:
    """What is wrong with them as a whole. *where* each flag was said, for those that were."""
    values: dict[str, Any] = {SETTINGS[flag].field: SETTINGS[flag].read(text) for flag, text in told.items()}
    try:
        Interception(**values)
    except Refused as refused:
        for problem in refused.problems[:_MOST]:
            flag = _FIELDS[problem.field]
            field = where.get(flag) or f"the default of {names.PREFIX}/{flag[2:]}"
            yield Invalid(field, problem.found, problem.allowed)


def excluded_too(argument: str, ports: Iterable[int]) -> str:
    """The *argument* of the inbound ports that are reached directly, with *ports* among them."""
    flag, _, text = argument.partition("=")
    return f"{flag}={SETTINGS[flag].spell(_among(SETTINGS[flag].read(text), singles(*ports)))}"


def letting_by(intercepting: Iterable[str]) -> tuple[str, ...]:
    """Those of the *arguments* by which something may pass by the proxy that would not without them."""
    return tuple(each for each in intercepting if each.partition("=")[0] not in _HARMLESS)


def _beside_the_sidecars(flag: str, value: Any) -> Any:
    return _among(value, _SIDECARS) if flag == EXCLUDED_INBOUND else value


def _among(value: Any, ports: Spans) -> Any:
    """*value* and those of the *ports* that it does not hold."""
    return (*value, *(span for span in ports if not holds(value, span[0])))
