"""What one pod asks for by its annotations, as one value, or everything that is wrong with them at once. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final

from proa import names
from proa.capture.interception import Interception
from proa.containers import AccessLog, LogFormat, LogLevel, SidecarKind
from proa.errors import Invalid, shown
from proa.mesh import MeshConfiguration, Vocabulary
from webhook.interception import arguments, contradictions, interception
from webhook.istio import Translation, translation
from webhook.kinds import Place
from webhook.pod import Pod
from webhook.vocabulary import BY_KEY, DRAIN_SECONDS, INTERCEPTING, QUANTITIES, READ_ELSEWHERE, SETTINGS, Setting

_OWN: Final = f"{names.PREFIX}/"
_MOST_UNKNOWN: Final = 8
"""Warnings about unknown keys: the API server cuts what is more than 4096 characters in all."""
_LONGEST_NAME: Final = 63
"""Of an annotation, behind its prefix (apimachinery, IsQualifiedName)."""
_FLAGS: Final = {each.field: f"--{each.name}" for each in INTERCEPTING}
_QUANTITIES: Final = {each.field: each.name for each in QUANTITIES}
_NAMES: Final = (*(setting.name for setting in SETTINGS), names.INJECT.removeprefix(_OWN))
_GRACE: Final = 30
"""Seconds, where a pod says nothing (core/v1 PodSpec)."""


@dataclass(frozen=True, slots=True)
class PodSettings:
    """By the fields of `webhook.vocabulary.SETTINGS`; None is what the mesh configuration says.

    *quantities* are those that are asked for, by the names of their settings; *pod_resources* says that the pod has
    resources of its own as a whole, *intercepts* that no template takes `proa-init` away, *intercepting* with which
    arguments it is called. *termination_drain* fits into the pod's grace period.
    """

    quantities: tuple[tuple[str, str], ...] = ()
    pod_resources: bool = False
    sidecar: SidecarKind | None = None
    place: Place | None = None
    hold: bool = False
    concurrency: int | None = None
    drain_time: int | None = None
    termination_drain: int | None = None
    log_level: LogLevel | None = None
    component_log_level: str = ""
    log_format: LogFormat | None = None
    access_log: AccessLog | None = None
    proxy_image: str = ""
    rewrite_probes: bool = True
    intercepts: bool = True
    intercepting: tuple[str, ...] = ()

    @property
    def interception(self) -> Interception | None:
        """What `proa-init` makes of the pod; None where there is none."""
        return interception(self.intercepting) if self.intercepts else None


ORDINARY: Final = PodSettings()
"""Of a pod that asks for nothing."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked for; what is wrong; and what is only worth saying."""

    settings: PodSettings = ORDINARY
    problems: tuple[Invalid, ...] = ()
    warnings: tuple[str, ...] = ()


_NONE: Final = Wishes()
_UNTOLD: Final = Translation()


def wishes(pod: Pod, configuration: MeshConfiguration) -> Wishes:
    """What *pod* asks for, by Proa's names and, where the configuration's vocabulary is Istio's, by Istio's."""
    annotations, kind = pod.annotations.values, configuration.proxy.sidecar
    told = _translated(annotations, configuration.vocabulary)
    own = {key: value for key, value in annotations.items() if key.startswith(_OWN) and key not in READ_ELSEWHERE}
    if not own and told == _UNTOLD:
        return _fitted(_NONE, pod, kind)
    problems: list[Invalid] = []
    values = _read(told, problems) | dict(_read_own(own, problems))
    traffic = {flag: values.pop(field) for field, flag in _FLAGS.items() if field in values}
    problems.extend(contradictions(traffic, _places(own, told)))
    settings = PodSettings(
        quantities=tuple((name, values.pop(field)) for field, name in _QUANTITIES.items() if field in values),
        intercepting=arguments(traffic),
        **values,
    )
    warnings = (*told.warnings, *_overridden(own, told), *_unknown(own))
    return _fitted(Wishes(settings, tuple(problems), warnings), pod, kind)


def _translated(annotations: Mapping[str, str], vocabulary: Vocabulary) -> Translation:
    match vocabulary:
        case Vocabulary.PROA:
            return _UNTOLD
        case Vocabulary.ISTIO:
            return translation(annotations)


def _read(told: Translation, problems: list[Invalid]) -> dict[str, Any]:
    problems.extend(told.problems)
    found = ((each.setting.field, _value(each.setting, each.field, each.text, problems)) for each in told.values)
    return {field: value for field, value in found if value is not None}


def _read_own(own: Mapping[str, str], problems: list[Invalid]) -> Iterator[tuple[str, Any]]:
    for key, text in own.items():
        if key in BY_KEY:
            value = _value(BY_KEY[key], _at(key), text, problems)
            if value is not None:
                yield BY_KEY[key].field, value


def _value(setting: Setting, field: str, text: str, problems: list[Invalid]) -> Any:
    """None where it is no value, which is remembered."""
    try:
        return setting.kind.read(text)
    except (ValueError, KeyError):
        problems.append(Invalid(field, shown(text), setting.kind.allowed))
        return None


def _places(own: Mapping[str, str], told: Translation) -> dict[str, str]:
    """Where each setting is asked for, by its flag of `proa-init`."""
    theirs = {f"--{each.setting.name}": each.field for each in told.values}
    return theirs | {f"--{BY_KEY[key].name}": _at(key) for key in own if key in BY_KEY}


def _at(key: str) -> str:
    return f"metadata.annotations['{key}']"


def _overridden(own: Mapping[str, str], told: Translation) -> Iterator[str]:
    for each in told.values:
        if each.setting.key in own:
            yield f"{each.source} has no effect: {each.setting.key} says the same, and wins"


def _unknown(own: Mapping[str, str]) -> Iterator[str]:
    for key in islice((key for key in own if key not in BY_KEY), _MOST_UNKNOWN):
        close = get_close_matches(key.removeprefix(_OWN)[:_LONGEST_NAME], _NAMES, n=1)
        meant = f": did you mean {_OWN}{close[0]}?" if close else ""
        yield f"the annotation {shown(key)} means nothing to this version of Proa{meant}"


def _fitted(found: Wishes, pod: Pod, kind: SidecarKind) -> Wishes:
    """As the pod's own fields leave it: its resources, and the time it has to end."""
    settings = found.settings
    if not pod.spec.containers:
        # A pod that is only a proxy has it as its container, whatever it asks for.
        settings = replace(settings, sidecar=SidecarKind.REGULAR)
    if pod.spec.resources:
        settings = replace(settings, pod_resources=True)
    grace = pod.spec.termination_grace_period_seconds
    by_kind = DRAIN_SECONDS if (settings.sidecar or kind) is SidecarKind.REGULAR else 0
    asked = by_kind if settings.termination_drain is None else settings.termination_drain
    # The API server refuses a sleep that is longer than the pod's grace period (validateSleepAction).
    drain = min(asked, _GRACE if grace is None else max(0, grace))
    if drain != by_kind or settings.termination_drain is not None:
        settings = replace(settings, termination_drain=drain)
    return found if settings is found.settings else replace(found, settings=settings)
