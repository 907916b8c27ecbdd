"""What becomes of a pod that comes injected: the injection undone and done anew, as far as that changes anything. Pure.

The API server asks a second time when anybody changed the pod since, and its own plugins always do: they give Proa's
containers a token, a limit of the namespace's LimitRange, a pull policy, after the first answer and never after the
second. So while the configuration gives what it gave, what others added to it stays, and the image and resources that
they chose; what else Proa says of its containers holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from proa.json import Json
from proa.trees import listed, members, same, text
from webhook.operations import Add, Operation, Remove, applied, encoded, pointed
from webhook.patch import CONTAINERS, INIT_CONTAINERS, VOLUMES
from webhook.sidecar import POD_IP
from webhook.status import Status
from webhook.uninjection import status_of

_OTHERS: Final = ("image", "resources")
"""Members of Proa's containers that others may change: they know the registry's mirror, and the namespace's limits."""
_ADDRESS: Final = text(msgspec.json.decode(POD_IP), "name")
"""The variable of a sidecar that listens for probes; one that no longer does has none."""


@dataclass(frozen=True, slots=True)
class Undone:
    """An injected pod as it *came*, with its *record*, and *pod*, what *operations* make of it: what it was before."""

    came: Json
    record: Status
    operations: tuple[Operation, ...]
    pod: Json


def reinjection(undone: Undone, operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """What injects the pod that came anew, where *operations* inject what it was; nothing where that is how it came."""
    planned = applied(undone.pod, operations)
    record = status_of(planned)
    if record is None:
        return (*undone.operations, *operations)
    kept = tuple(_kept(undone, planned, record))
    if same(applied(planned, kept), undone.came):
        return ()
    return (*undone.operations, *operations, *kept)


def _kept(undone: Undone, planned: Json, record: Status) -> Iterator[Operation]:
    """What others added to what was injected, put back in its place."""
    yield from _defaults(undone.came, planned, record)
    if record.fingerprint != undone.record.fingerprint:
        return
    for path, names in (
        (INIT_CONTAINERS, record.init_containers),
        (CONTAINERS, record.containers),
        (VOLUMES, record.volumes),
    ):
        for at, item, came in _pairs(undone.came, planned, path):
            kept = _over(came, item)
            if text(item, "name") in names and not same(kept, item):
                yield Remove(at)
                yield Add(at, encoded(kept))


def _defaults(came: Json, planned: Json, record: Status) -> Iterator[Add]:
    """The members that the API server gave to an httpGet that took a tcpSocket's place."""
    for path in (INIT_CONTAINERS, CONTAINERS):
        for at, container, before in _pairs(came, planned, path):
            for name, handlers in record.probes.get(text(container, "name"), {}).items():
                asked, found = members(container, name, "httpGet"), members(before, name, "httpGet")
                if "tcpSocket" in handlers and asked.items() <= found.items() and asked != found:
                    yield Add(f"{at}/{name}/httpGet", encoded(found))


def _pairs(came: Json, planned: Json, path: str) -> Iterator[tuple[str, dict[str, Json], dict[str, Json]]]:
    """The items of a list that was *planned*, each with its pointer and with the one of the same name that *came*."""
    before = {text(item, "name"): members(item) for item in listed(came, *pointed(path))}
    for index, item in enumerate(listed(planned, *pointed(path))):
        if text(item, "name") in before:
            yield f"{path}/{index}", members(item), before[text(item, "name")]


def _over(came: dict[str, Json], planned: dict[str, Json]) -> dict[str, Json]:
    """A container or volume as *planned*, with what others gave to the one that *came*."""
    kept = members(_merged(came, planned)).copy()
    kept |= {key: came[key] for key in _OTHERS if key in came and key in planned}
    if "env" in kept and _ADDRESS not in (text(each, "name") for each in listed(planned, "env")):
        kept["env"] = [each for each in listed(kept, "env") if text(each, "name") != _ADDRESS]
    return kept


def _merged(came: Json, planned: Json) -> Json:
    """What was *planned*, and what else *came*: members, and items by their name."""
    match came, planned:
        case dict(), dict():
            return {**came, **{key: _merged(came.get(key), value) for key, value in planned.items()}}
        case list(), list() if all(text(item, "name") for item in planned):
            before = {text(item, "name"): item for item in came}
            own = [_merged(before.pop(text(item, "name"), None), item) for item in planned]
            return [*own, *before.values()]
        case list(), list() if len(came) == len(planned):
            return list(map(_merged, came, planned))
        case _:
            return planned
