"""What becomes of a pod that comes injected: the injection undone and done anew, as far as that changes anything. Pure.

The API server asks a second time when anybody changed the pod since, and its own plugins always do: they give Proa's
containers a token, a limit of the namespace's LimitRange, a pull policy, after the first answer and never after the
second. So while the configuration gives what it gave, and the pod asks for what it asked for, what others added to it
stays, and the image and resources that they chose; what else Proa says of its containers holds.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from operator import is_
from typing import Final, TypeAlias

import msgspec

from proa.json import Json
from proa.merging import CONTAINER, POD, Listed, Merging, keys_of, within
from proa.trees import listed, member, members, same, text
from webhook.difference import touched
from webhook.operations import Add, Operation, Remove, encoded, pointed, pointer
from webhook.patch import VOLUMES
from webhook.planning import Planned
from webhook.position import CONTAINERS, INIT_CONTAINERS
from webhook.sidecar import POD_IP
from webhook.status import Status
from webhook.uninjection import Undoing, status_of

_OTHERS: Final = ("image", "resources")
"""Members of containers that others may change: they know the registry's mirror, and the namespace's limits."""
_ADDRESS: Final = text(msgspec.json.decode(POD_IP), "name")
"""The variable of a sidecar that listens for probes; one that no longer does has none."""
_Atomic: TypeAlias = Callable[[list[Json], list[Json]], Json]
"""What is to be of a list whose items nothing tells apart, of the one that came and the one that was planned."""


@dataclass(frozen=True, slots=True)
class Undone:
    """An injected pod as it *came*, with its *record*, and the *undoing* of that, which has what it was before."""

    came: Json
    record: Status
    undoing: Undoing


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is to be at *path*, where something else was *planned*, or the same."""

    path: str
    planned: Json
    kept: Json


def reinjection(undone: Undone, plan: Planned) -> tuple[Operation, ...]:
    """What injects the pod that came anew, where *plan* injects what it was; nothing where that is how it came."""
    planned = plan.carried_out(undone.undoing.pod)
    record = status_of(planned)
    if record is None:
        return (*undone.undoing.operations, *plan.operations)
    kept = tuple(_kept(undone, planned, record))
    if same(reduce(_placed, kept, planned), undone.came):
        return ()
    return (*undone.undoing.operations, *plan.operations, *_edits(kept))


def _placed(value: Json, each: _Kept) -> Json:
    """*value* with what is to be at a place that holds something. A patch would cost reading what was just written."""

    def below(found: Json, tokens: tuple[str, ...]) -> Json:
        if not tokens:
            return each.kept
        if isinstance(found, list):
            at = int(tokens[0])
            return [*found[:at], below(found[at], tokens[1:]), *found[at + 1 :]]
        return {**members(found), tokens[0]: below(member(found, tokens[0]), tokens[1:])}

    return below(value, pointed(each.path))


def _edits(kept: Iterable[_Kept]) -> Iterator[Operation]:
    for each in kept:
        if same(each.kept, each.planned):
            continue
        # What an `add` does to a member, it does not to an item: that would be one more (RFC 6902 §4.1).
        if each.path.rpartition("/")[2].isdigit():
            yield Remove(each.path)
        yield Add(each.path, encoded(each.kept))


def _kept(undone: Undone, planned: Json, record: Status) -> Iterator[_Kept]:
    """What others added to what was injected, with its place in what is *planned*."""
    yield from _defaults(undone.came, planned, record)
    before = undone.record
    if (record.fingerprint, record.settings) != (before.fingerprint, before.settings):
        return
    for path, ours, how in (
        (INIT_CONTAINERS, record.init_containers, CONTAINER),
        (CONTAINERS, record.containers, CONTAINER),
        (VOLUMES, record.volumes, within(None)),
    ):
        theirs = _given(before, record, *pointed(path))
        for at, item, came in _pairs(undone.came, planned, path):
            if text(item, "name") in ours:
                yield _Kept(at, item, _of_the_sidecar(came, item, how))
            elif text(item, "name") in theirs:
                yield _Kept(at, item, _chosen(came, item, members(_merged(came, item, how, _added_to))))
    yield from _of_the_pod(undone.came, planned, _given(before, record, "spec"))


def _given(before: Status, record: Status, *path: str) -> frozenset[str | int]:
    """What templates changed at *path* already then: of anything else, nothing that came is an addition to it."""
    return frozenset(touched(before.changed, *path)) & frozenset(touched(record.changed, *path))


def _of_the_pod(came: Json, planned: Json, theirs: Iterable[str | int]) -> Iterator[_Kept]:
    """What others added to what templates gave the pod as a whole, such as tolerations."""
    merging = within(POD["spec"])
    for key in sorted(map(str, theirs)):
        found, given = member(came, "spec", key), member(planned, "spec", key)
        if not isinstance(merging.get(key), Listed) and found is not None and given is not None:
            yield _Kept(pointer("spec", key), given, _merged(found, given, merging.get(key), _added_to))


def _defaults(came: Json, planned: Json, record: Status) -> Iterator[_Kept]:
    """The members that the API server gave to an httpGet that took a tcpSocket's place."""
    if not any("tcpSocket" in each for probes in record.probes.values() for each in probes.values()):
        return
    for path in (INIT_CONTAINERS, CONTAINERS):
        for at, container, before in _pairs(came, planned, path):
            for name, handlers in record.probes.get(text(container, "name"), {}).items():
                asked, found = members(container, name, "httpGet"), members(before, name, "httpGet")
                if "tcpSocket" in handlers and asked.items() <= found.items() and asked != found:
                    yield _Kept(f"{at}/{name}/httpGet", asked, found)


def _pairs(came: Json, planned: Json, path: str) -> Iterator[tuple[str, dict[str, Json], dict[str, Json]]]:
    """The items of a list that was *planned*, each with its pointer and with the one of the same name that *came*."""
    before = {text(item, "name"): members(item) for item in listed(came, *pointed(path))}
    for index, item in enumerate(listed(planned, *pointed(path))):
        if (name := text(item, "name")) in before:
            yield f"{path}/{index}", members(item), before[name]


def _of_the_sidecar(came: dict[str, Json], planned: dict[str, Json], how: Merging) -> dict[str, Json]:
    """A container or volume of Proa's as *planned*, with what others gave to the one that *came*."""
    kept = _chosen(came, planned, members(_merged(came, planned, how, _told)))
    if "env" in kept and _ADDRESS not in (text(each, "name") for each in listed(planned, "env")):
        stays = [each for each in listed(kept, "env") if text(each, "name") != _ADDRESS]
        return kept if stays == kept["env"] else {**kept, "env": stays}
    return kept


def _chosen(came: dict[str, Json], planned: dict[str, Json], kept: dict[str, Json]) -> dict[str, Json]:
    others: dict[str, Json] = {key: came[key] for key in _OTHERS if key in came and key in planned}
    return kept if others.items() <= kept.items() else {**kept, **others}


def _merged(came: Json, planned: Json, how: Listed | Merging | None, atomic: _Atomic) -> Json:
    """What was *planned*, and what else *came*: members, and items by their key. *came* itself, where that is it."""
    match came, planned:
        case _ if came == planned:
            return came
        case dict(), dict():
            merging = within(how)
            merged = {
                key: _merged(came[key], value, merging.get(key), atomic) if key in came else value
                for key, value in planned.items()
            }
            return (
                came if all(key in came and came[key] is value for key, value in merged.items()) else {**came, **merged}
            )
        case list(), list() if isinstance(how, Listed) and keys_of(came, how) and keys_of(planned, how):
            return _items(came, planned, how, atomic)
        case list(), list() if len(came) == len(planned):
            found = list(map(partial(_merged, how=None, atomic=atomic), came, planned))
            return came if all(map(is_, came, found)) else found
        case list(), list():
            return atomic(came, planned)
        case _:
            return planned


def _items(came: list[Json], planned: list[Json], how: Listed, atomic: _Atomic) -> Json:
    """In the order in which they came, as far as they did: others put theirs where they want."""
    given = {member(item, how.key): item for item in planned}
    found = [
        _merged(item, given.pop(key), how.inside, atomic) if (key := member(item, how.key)) in given else item
        for item in came
    ]
    return came if not given and all(map(is_, came, found)) else [*found, *given.values()]


def _told(_came: list[Json], planned: list[Json]) -> Json:
    """What Proa says is nobody else's to add to."""
    return planned


def _added_to(came: list[Json], planned: list[Json]) -> Json:
    """*came*, where others only added to what a template says."""
    rest = iter(came)
    return came if all(any(same(found, item) for found in rest) for item in planned) else planned
