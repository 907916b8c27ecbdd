"""What one Pod differs by from another, as a record that undoes it, and as the edits that make it. Pure.

Cost and size grow with what differs: values that are the same object are not looked into. Where a list's items are
told apart by a key the record says which were added, so that what others add later is left alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import is_
from typing import Any, Final, TypeAlias, cast

from msgspec import UNSET, UnsetType

from proa.json import Json
from proa.merging import POD, Listed, Merging, is_key, keys_of, places_of, values_of, within
from proa.trees import listed, members, same
from webhook.operations import Add, Operation, Remove, encoded, pointer

Difference: TypeAlias = dict[str, Any]
"""Of a mapping: `absent` are members that were not there, `was` what stood in others, `in` the differences inside. Of a
list, `by` is the member that tells its items apart: `absent` are those that were not there, `was` pairs of the item
before (null: none) and the item that went, `in` pairs of item and difference. `before` is what stood in the whole's
place: `absent` or `null`. What is empty is left out.
"""
_ABSENT: Final = "absent"
_NULL: Final = "null"
_Found: TypeAlias = "Json | UnsetType"


def difference(before: dict[str, Json], after: dict[str, Json], merging: Merging = POD) -> Difference:
    """What turns *after* into *before* by `undone`; empty where they are the same.

    In the order of the members' names: what is restored has its members in another order, and the same record.
    """
    absent: list[str] = []
    was: dict[str, Json] = {}
    inside: dict[str, Difference] = {}
    for key in sorted(after.keys() | before.keys()):
        old, new, how = before.get(key, UNSET), after.get(key, UNSET), merging.get(key)
        if old is new:
            continue
        found = _inside(old, new, how)
        if found is not None:
            inside |= {key: found} if found else {}
        elif old is UNSET:
            absent.append(key)
        elif new is UNSET or not same(old, new):
            was[key] = old
    return _filled(absent=absent, was=was, **{"in": inside})


def undone(record: Difference, current: dict[str, Json]) -> dict[str, Json]:
    """*current* without what *record* says was changed; what others did stays, unless it is in its place.

    Raises one of Python's own errors for a record that is none: who reads one that anybody wrote must expect that.
    """
    absent, was, inside = set(record.get("absent", ())), record.get("was", {}), record.get("in", {})
    if not isinstance(was, dict):
        raise TypeError("no mapping")
    result: dict[str, Json] = {key: value for key, value in current.items() if key not in absent}
    result |= was
    for key, changed in inside.items():
        found = current.get(key)
        restored = _restored(changed, found)
        if restored or "before" not in changed or not isinstance(found, dict | list):
            result |= {key: restored} if key in current else {}
        elif changed["before"] == _NULL:
            result[key] = None
        else:
            result.pop(key)
    return result


def touched(record: Difference, *path: str) -> tuple[str | int, ...]:
    """The members, or the keys of the items, at *path* that were changed or added. Of what is no record, none."""
    for key in path:
        record = members(record, "in", key)
    if not record:
        return ()
    absent, inside = listed(record, "absent"), listed(record, "in")
    if "by" in record:
        return tuple(filter(is_key, (*absent, *(each[0] for each in inside if isinstance(each, list) and each))))
    return tuple(filter(is_key, (*absent, *members(record, "was"), *members(record, "in"))))


def edits(
    before: dict[str, Json], after: dict[str, Json], merging: Merging = POD, path: str = ""
) -> Iterator[Operation]:
    """The operations that turn *before*, which stands at *path*, into *after*."""
    for key, old in before.items():
        if key not in after:
            yield Remove(f"{path}{pointer(key)}")
        elif old is not after[key]:
            yield from _member_edits(old, after[key], merging.get(key), f"{path}{pointer(key)}")
    for key, new in after.items():
        if key not in before:
            yield Add(f"{path}{pointer(key)}", encoded(new))


def _inside(old: _Found, new: _Found, how: Listed | Merging | None) -> Difference | None:
    """The difference of two collections whose members count each; None where a value stands for another."""
    marks = {"before": _ABSENT if old is UNSET else _NULL} if old is UNSET or old is None else {}
    match how, new:
        case Listed(), list():
            found = _list_difference([] if marks else cast("Json", old), new, how)
            return found if found is None or not marks else {"by": how.key, **found, **marks}
        case _, dict() if isinstance(old, dict):
            return difference(old, new, within(how))
        case _, dict() if marks and how is not None:
            return {**difference({}, new, within(how)), **marks}
        case _:
            return None


def _list_difference(old: Json, new: list[Json], listed: Listed) -> Difference | None:
    """Empty where they are the same, None where keys do not tell."""
    aligned = _aligned(old, new, listed)
    front = values_of(new[: aligned.start], listed.key) if aligned else []
    if aligned is None or not _tells(front, aligned):
        return None
    olds, news, order = aligned.olds, aligned.news, [front[-1] if front else None, *aligned.olds]
    gone = [[order[place], item] for place, (key, item) in enumerate(olds.items()) if key not in news]
    changed = [(key, item, news[key]) for key, item in olds.items() if item is not news.get(key, item)]
    inside = [[key, found] for key, old, new in changed if (found := difference(old, new, listed.inside))]
    found = _filled(absent=[key for key in news if key not in olds], was=gone, **{"in": inside})
    return {"by": listed.key, **found} if found else {}


_Keyed: TypeAlias = dict[str | int, dict[str, Json]]


@dataclass(frozen=True, slots=True)
class _Aligned:
    """Both lists by key, from *start* on: before it they are the same objects."""

    start: int
    olds: _Keyed
    news: _Keyed


def _aligned(old: Json, new: Json, listed: Listed) -> _Aligned | None:
    """None where keys do not tell the items apart, or what stayed changed its order."""
    if not isinstance(old, list) or not isinstance(new, list):
        return None
    start = _shared(old, new)
    before, after = keys_of(old[start:], listed), keys_of(new[start:], listed)
    if before is None or after is None:
        return None
    both = set(before) & set(after)
    if [key for key in before if key in both] != [key for key in after if key in both]:
        return None
    olds, news = (cast("list[dict[str, Json]]", each[start:]) for each in (old, new))
    return _Aligned(start, dict(zip(before, olds, strict=True)), dict(zip(after, news, strict=True)))


def _tells(front: list[Json], aligned: _Aligned) -> bool:
    """Whether keys tell what is *aligned* from the items in *front* of it, and the last of these from the others."""
    try:
        told = {*aligned.olds, *aligned.news}.isdisjoint(front)
    except TypeError:
        # A key that is none, such as a list.
        return False
    return told and (not front or (is_key(front[-1]) and front.count(front[-1]) == 1))


def _shared(old: list[Json], new: list[Json]) -> int:
    """How many items both begin with, which are the same objects: nearly all of a list that a template adds to."""
    same_objects = [*map(is_, old, new)]
    return len(same_objects) if all(same_objects) else same_objects.index(False)


def _restored(record: Difference, current: Json) -> Json:
    match current:
        case dict() if "by" not in record:
            return undone(record, current)
        case list() if "by" in record:
            return _restored_items(record, current)
        case _:
            return current


def _restored_items(record: Difference, current: list[Json]) -> list[Json]:
    """The list may have thousands of items, of which few were changed; and a record as many that somebody made up."""
    by, absent, changed = record["by"], set(record.get("absent", ())), dict(record.get("in", ()))
    concerned, items = absent | changed.keys(), [*current]
    places = places_of(values_of(current, by), concerned)
    for place in reversed(places):
        item = cast("dict[str, Json]", current[place])
        if item[by] in absent:
            del items[place]
        else:
            items[place] = undone(changed[item[by]], item)
    was = record.get("was", ())
    return _behind(items, was, by) if was else items


def _behind(items: list[Json], was: list[Any], by: str) -> list[Json]:
    """*items* with each that went back behind the one it followed, or in front where that is no longer there."""
    waiting: dict[Json, list[Json]] = {}
    for behind, item in was:
        waiting.setdefault(behind, []).append(item)
    known = {*filter(is_key, (*values_of(items, by), *values_of([item for _, item in was], by)))}
    result: list[Json] = []
    for item in [*(item for behind, item in was if behind is None or behind not in known), *items]:
        result.append(item)
        while is_key(key := values_of(result[-1:], by)[0]) and key in waiting:
            result.extend(waiting.pop(key))
    return result


def _member_edits(old: Json, new: Json, how: Listed | Merging | None, path: str) -> Iterator[Operation]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from edits(old, new, within(how), path)
    elif isinstance(how, Listed) and (aligned := _aligned(old, new, how)) is not None:
        yield from _item_edits(aligned, how, path)
    elif not same(old, new):
        yield Add(path, encoded(new))


def _item_edits(aligned: _Aligned, listed: Listed, path: str) -> Iterator[Operation]:
    """In place first; then what goes, last first, as each that goes moves those behind it; then what comes."""
    olds, news, start = aligned.olds, aligned.news, aligned.start
    for place, (key, item) in enumerate(olds.items(), start):
        if key in news and item is not news[key]:
            yield from edits(item, news[key], listed.inside, f"{path}/{place}")
    for place, key in reversed(list(enumerate(olds, start))):
        if key not in news:
            yield Remove(f"{path}/{place}")
    for place, (key, item) in enumerate(news.items(), start):
        if key not in olds:
            yield Add(f"{path}/{place}", encoded(item))


def _filled(**members: Any) -> Difference:
    return {key: value for key, value in members.items() if value}
