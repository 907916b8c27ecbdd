"""Where the sidecar's containers go among those of the pod. Pure."""

from dataclasses import dataclass
from typing import Final

from proa import names
from proa.containers import SidecarKind
from proa.errors import Invalid, shown
from webhook.kinds import After, Before, First, Last, Place
from webhook.pod import Pod

CONTAINERS: Final = "/spec/containers"
INIT_CONTAINERS: Final = "/spec/initContainers"
_FIELD: Final = f"metadata.annotations['{names.PREFIX}/place']"


@dataclass(frozen=True, slots=True)
class Position:
    """JSON Pointers of `proa-init` and of `proa-proxy`, as they are once both are in.

    *early* is how many init containers of the pod run before the proxy does; *held* says whether the app's containers
    wait for it.
    """

    init: str
    proxy: str
    early: int
    held: bool


AHEAD: Final = Position(f"{INIT_CONTAINERS}/0", f"{INIT_CONTAINERS}/1", 0, held=True)
"""A native sidecar's, unless the pod asks for another place."""


def position(pod: Pod, kind: SidecarKind, place: Place | None, *, hold: bool, intercepts: bool = True) -> Position:
    """Raises Invalid, which names the annotation, for a place beside an init container that the pod has not."""
    if kind is SidecarKind.NATIVE and place is None and intercepts:
        return AHEAD
    present = tuple(container.name for container in pod.spec.init_containers or ())
    match kind:
        case SidecarKind.NATIVE:
            index = _index(present, place or First())
            return Position(f"{INIT_CONTAINERS}/{index}", f"{INIT_CONTAINERS}/{index + intercepts}", index, held=True)
        case SidecarKind.REGULAR:
            # Behind the pod's own, which have nobody yet to send their traffic through.
            index, last = _index(present, place or Last()), len(pod.spec.containers)
            proxy = f"{CONTAINERS}/{0 if hold else last}"
            return Position(f"{INIT_CONTAINERS}/{index}", proxy, len(present), held=hold)


def _index(present: tuple[str, ...], place: Place) -> int:
    match place:
        case First():
            return 0
        case Last():
            return len(present)
        case Before(name) | After(name) if name in present:
            return present.index(name) + isinstance(place, After)
        case Before(name) | After(name):
            known = ", ".join(map(shown, present)) or "the pod has none"
            raise Invalid(_FIELD, shown(name), f"the name of an init container ({known})")
