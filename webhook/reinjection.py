"""What becomes of a pod that comes injected: the injection undone and done anew, as far as that changes anything. Pure.

The API server asks a second time when anybody changed the pod since, and its own plugins always do: they give Proa's
containers a token, a limit of the namespace's LimitRange, a pull policy, after the first answer and never after the
second. So while the sidecar is to be what it was, what others made of it stays.
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

_LISTENING: Final = ("command", "args")
"""Members of Proa's containers that differ with what the sidecar listens for; of `env` it is one variable."""
_ADDRESS: Final = text(msgspec.json.decode(POD_IP), "name")


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
    """What others made of what was injected, put back in its place."""
    yield from _defaults(undone.came, planned, record)
    if record.fingerprint != undone.record.fingerprint:
        return
    listens_alike = record.listening == undone.record.listening
    for path, names in (
        (INIT_CONTAINERS, record.init_containers),
        (CONTAINERS, record.containers),
        (VOLUMES, record.volumes),
    ):
        for at, item, came in _pairs(undone.came, planned, path):
            kept = came if listens_alike or path == VOLUMES else _listening(came, item)
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


def _listening(came: dict[str, Json], planned: dict[str, Json]) -> dict[str, Json]:
    """The container that *came*, but with what *planned* says of listening."""
    told: dict[str, Json] = {key: planned[key] for key in _LISTENING if key in planned}
    own = listed(planned, "env")
    ours = {_ADDRESS, *(text(each, "name") for each in own)}
    others = [each for each in listed(came, "env") if text(each, "name") not in ours]
    variables: dict[str, Json] = {"env": [*own, *others]} if own or others else {}
    rest = {key: value for key, value in came.items() if key not in (*_LISTENING, "env")}
    return {**rest, **told, **variables}
