"""The requests and limits of one of Proa's containers: the configuration's, as one pod wants them. Pure."""

from typing import Final, Literal

from proa import names
from proa.containers import Resources
from proa.errors import Invalid
from proa.quantity import amount
from webhook.kinds import NONE
from webhook.wishes import PodSettings

_NAMES: Final = ("cpu", "memory", "ephemeral-storage")
OwnContainer = Literal["proxy", "init"]


def resources(container: OwnContainer, defaults: Resources, settings: PodSettings) -> Resources:
    """What *container* asks for. Raises Invalid, which names the annotation, for a request above its limit.

    A pod with resources of its own as a whole has no room for defaults: its containers' requests together may not be
    more than the pod's, and none of their limits may be (KEP-2837). They use what the pod has, unless it says more.
    """
    kept = Resources() if settings.pod_resources else defaults
    asked = dict(settings.quantities)
    requests = _merged(dict(kept.requests), container, "request", asked)
    limits = _merged(dict(kept.limits), container, "limit", asked)
    for name, limit in limits.items():
        # A default gives way to a limit that is asked for; two wishes that contradict each other are told.
        if name in requests and f"{container}-{name}-request" not in asked and amount(requests[name]) > amount(limit):
            requests[name] = limit
    try:
        return Resources(requests=requests, limits=limits)
    except Invalid as problem:
        key = f"{names.PREFIX}/{container}-{problem.field.removeprefix('requests.')}-request"
        raise Invalid(f"metadata.annotations['{key}']", problem.found, problem.allowed) from problem


def _merged(quantities: dict[str, str], container: OwnContainer, side: str, asked: dict[str, str]) -> dict[str, str]:
    for name in _NAMES:
        match asked.get(f"{container}-{name}-{side}"):
            case None:
                pass
            case found if found == NONE:
                quantities.pop(name, None)
            case quantity:
                quantities[name] = quantity
    return quantities
