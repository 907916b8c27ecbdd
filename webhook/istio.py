"""Istio's annotations as Proa's settings: those that have one here, and a warning for each other. Pure.

Meanings are those of Istio 1.31 (pkg/kube/inject: annotations.go, the injection template, and api/annotation).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from yaml.nodes import MappingNode

from proa import names
from proa.capture.networks import without_host_bits
from proa.documents import at, members, read, text_at
from proa.errors import Invalid, shown
from webhook.kinds import NONE
from webhook.vocabulary import INTERCEPTING, QUANTITIES, SETTINGS, Setting

_CONFIG: Final = "proxy.istio.io/config"
_DOMAIN: Final = "istio.io"
_READ_ELSEWHERE: Final = frozenset(
    {names.ISTIO_TEMPLATES, "sidecar.istio.io/inject", "sidecar.istio.io/status", "istio.io/rev"}
)
_MOST: Final = 8
"""Warnings about keys that mean nothing here."""
_RESOURCES: Final = {setting.istio: setting for setting in QUANTITIES if setting.istio}
_MEMBERS: Final = {setting.istio.partition(":")[2]: setting for setting in SETTINGS if ":" in setting.istio}
_OTHERS: Final = {
    setting.istio: setting
    for setting in SETTINGS
    if setting.istio and ":" not in setting.istio and setting not in (*QUANTITIES, *INTERCEPTING)
}
_TRAFFIC: Final = {setting.istio: setting for setting in INTERCEPTING if setting.istio}
_VIRTUAL: Final = "traffic.sidecar.istio.io/kubevirtInterfaces"
_REROUTED: Final = "istio.io/reroute-virtual-interfaces"
"""The newer name of the former, which wins."""
_RANGES: Final = "traffic.sidecar.istio.io/includeOutboundIPRanges"
_PORTS_ANYWHERE: Final = "traffic.sidecar.istio.io/includeOutboundPorts"
_UNCAPTURED: Final = ("traffic.sidecar.istio.io/includeInboundPorts", _RANGES)
"""What mode NONE empties."""
_MODE: Final = "sidecar.istio.io/interceptionMode"
_MODES: Final = ("REDIRECT", "TPROXY", "NONE")
_NATIVE: Final = "sidecar.istio.io/nativeSidecar"
_KINDS: Final = {"true": "native", "false": "regular"}
_IMAGE: Final = "sidecar.istio.io/proxyImage"
_LONGEST_CONFIG: Final = 16_384


@dataclass(frozen=True, slots=True)
class Told:
    """*setting* shall be what *text* says, as it would stand in Proa's annotation; *source* is what said it."""

    setting: Setting
    source: str
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Translation:
    """What Istio's annotations of one pod say."""

    values: tuple[Told, ...] = ()
    problems: tuple[Invalid, ...] = ()
    warnings: tuple[str, ...] = ()


_NOTHING: Final = Translation()


def translation(annotations: Mapping[str, str]) -> Translation:
    """What those of *annotations* say that Istio reads."""
    theirs = {key: value for key, value in annotations.items() if is_istios(key)}
    if not theirs:
        return _NOTHING
    problems: list[Invalid] = []
    found = _members(theirs.get(_CONFIG, ""), problems)
    problems.extend(_misspelt(theirs))
    values = (*_others(theirs), *_traffic(theirs), *_resources(theirs), *_configured(found))
    warnings = (*_pointless(theirs), *_unsupported(theirs, found))
    return Translation(values, tuple(problems), warnings)


def is_istios(key: str) -> bool:
    """Whether *key* is an annotation of Istio's that sets something: not one that chooses, or that Istio wrote."""
    domain = key.partition("/")[0]
    return (domain == _DOMAIN or domain.endswith(f".{_DOMAIN}")) and key not in _READ_ELSEWHERE


def _misspelt(theirs: Mapping[str, str]) -> Iterator[Invalid]:
    if theirs.get(_NATIVE, "true") not in _KINDS:
        yield Invalid(_field(_NATIVE), shown(theirs[_NATIVE]), ", ".join(_KINDS))
    if theirs.get(_MODE, "NONE") not in _MODES:
        yield Invalid(_field(_MODE), shown(theirs[_MODE]), ", ".join(_MODES))


def _others(theirs: Mapping[str, str]) -> Iterator[Told]:
    for key, text in theirs.items():
        if key == _NATIVE:
            if text in _KINDS:
                yield Told(_OTHERS[key], key, _field(key), _KINDS[text])
        elif key in _OTHERS and not _is_istios_own_image(key, text):
            yield Told(_OTHERS[key], key, _field(key), "warning" if text == "warn" else text)


def _traffic(theirs: Mapping[str, str]) -> Iterator[Told]:
    """Istio cuts spaces; its NONE programs nothing, whatever the others say."""
    if theirs.get(_MODE) == "NONE":
        yield from (Told(_TRAFFIC[key], _MODE, _field(_MODE), "") for key in _UNCAPTURED)
        return
    if (mode := theirs.get(_MODE)) in _MODES:
        yield Told(_TRAFFIC[_MODE], _MODE, _field(_MODE), mode.lower())
    for key, setting in _TRAFFIC.items():
        if key == _MODE:
            continue
        source = _REROUTED if key == _VIRTUAL and _REROUTED in theirs else key
        if source in theirs and not (key == _PORTS_ANYWHERE and _captures_all(theirs)):
            text = ",".join(part.strip() for part in theirs[source].split(","))
            yield Told(setting, source, _field(source), without_host_bits(text) if "IPRanges" in key else text)


def _captures_all(theirs: Mapping[str, str]) -> bool:
    return theirs.get(_RANGES, "*").strip() == "*"


def _pointless(theirs: Mapping[str, str]) -> Iterator[str]:
    """Annotations that are known, and change nothing of this pod."""
    if theirs.get(_MODE) == "NONE":
        for key in (key for key in theirs if key in (*_TRAFFIC, _REROUTED) and key != _MODE):
            yield f"the annotation {key} has no effect: {_MODE} is NONE"
    elif _PORTS_ANYWHERE in theirs and _captures_all(theirs):
        yield f"the annotation {_PORTS_ANYWHERE} has no effect: every address is captured on every port anyway"


def _is_istios_own_image(key: str, text: str) -> bool:
    return key == _IMAGE and "/" not in text


def _resources(theirs: Mapping[str, str]) -> Iterator[Told]:
    """One of the four replaces all requests and limits, of proa-init too (the template `resources`)."""
    if not _RESOURCES.keys() & theirs.keys():
        return
    by_name = {setting.name: key for key, setting in _RESOURCES.items()}
    for setting in QUANTITIES:
        key = by_name.get(setting.name.replace("init-", "proxy-"), "")
        yield Told(setting, key, _field(key), theirs.get(key, NONE))


def _members(text: str, problems: list[Invalid]) -> dict[str, str]:
    """The members of a ProxyConfig, which is YAML or JSON: those that are no mapping as text, others as nothing."""
    allowed = f"one ProxyConfig in YAML of at most {_LONGEST_CONFIG} characters"
    try:
        match read(text[: _LONGEST_CONFIG + 1]):
            case ():
                return {}
            case [MappingNode() as node] if len(text) <= _LONGEST_CONFIG:
                return {name: text_at(node, name) for name in members(node) if at(node, name) is not None}
            case _:
                problems.append(Invalid(_field(_CONFIG), shown(text), allowed))
    except Invalid as problem:
        problems.append(Invalid(_field(_CONFIG), problem.found, allowed))
    return {}


def _configured(found: Mapping[str, str]) -> Iterator[Told]:
    for member, text in found.items():
        if member in _MEMBERS:
            yield Told(_MEMBERS[member], f"{_CONFIG} ({member})", f"{_field(_CONFIG)}.{member}", text)


def _unsupported(theirs: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    known = {*_OTHERS, *_RESOURCES, *_TRAFFIC, _CONFIG, _REROUTED}
    keys = (shown(key) for key, text in theirs.items() if key not in known or _is_istios_own_image(key, text))
    within = (f"{_CONFIG} ({shown(member)})" for member in found if member not in _MEMBERS)
    for each in islice((*keys, *within), _MOST):
        yield f"the annotation {each} has no effect: Proa has nothing for it"


def _field(key: str) -> str:
    return f"metadata.annotations['{key}']"
