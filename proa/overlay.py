"""Kubernetes' strategic merge: a partial object laid over a whole one, field by field. Pure.

As `strategicpatch.StrategicMergePatch` of k8s.io/apimachinery does it, but for two things: what a list has keeps its
order and what is new follows it, and `$patch: replace` of what is not there sets it (docs/decisions/0011). Nothing is
changed in place, and what the partial object does not name is the very same object afterwards.
"""

from typing import Final, cast

from proa.errors import Invalid, shown
from proa.json import Json
from proa.merging import POD, Listed, Merging, is_key, places_of, values_of, within

PATCH: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
DELETE_ITEMS: Final = "$deleteFromPrimitiveList/"
DELETE: Final = "delete"
REPLACE: Final = "replace"


def overlay(original: Json, partial: Json, merging: Merging = POD) -> Json:
    """*original* with *partial* laid over it. Raises Invalid for a directive that is none, or an item without its key;
    its field is seen from *partial*.
    """
    if not isinstance(original, dict) or not isinstance(partial, dict):
        return bare(partial)
    if PATCH in partial:
        return bare(_undirected(partial)) if _directive(partial) == REPLACE else {}
    merged = _deleted(_retained(original, partial), partial)
    for key, value in _undirected(partial).items():
        if value is None:
            merged.pop(key, None)
        elif key in merged:
            merged[key] = _member(merged[key], value, key, merging)
        elif not _deletes(value):
            merged[key] = bare(value)
    return merged


def bare(value: Json) -> Json:
    """*value* as it is where nothing was before: without nulls, directives and what they delete."""
    match value:
        case dict():
            return {
                key: bare(each) for key, each in _undirected(value).items() if each is not None and not _deletes(each)
            }
        case list():
            return [bare(each) for each in value if not (isinstance(each, dict) and PATCH in each)]
        case _:
            return value


def _member(original: Json, value: Json, key: str, merging: Merging) -> Json:
    try:
        listed = merging.get(key)
        if isinstance(listed, Listed) and isinstance(original, list) and isinstance(value, list):
            return _items(original, value, listed)
        return overlay(original, value, within(listed))
    except Invalid as problem:
        raise problem.under(key) from problem


def _items(original: list[Json], partial: list[Json], listed: Listed) -> list[Json]:
    keyed = [(_key(item, listed), item) for item in partial if _directive(item) != REPLACE]
    if len(keyed) < len(partial):
        # The item that says so replaces the list, and stands for nothing itself.
        return [bare(item) for _, item in keyed if not _deletes(item)]
    gone = [key for key, item in keyed if _deletes(item)]
    merged = [item for item in original if not any(_has(item, listed, key) for key in gone)] if gone else [*original]
    places = _places(merged, listed, [key for key, _ in keyed])
    for key, item in keyed:
        if _deletes(item):
            continue
        place = places.get((type(key), key)) if is_key(key) else None
        if place is None:
            places |= {(type(key), key): len(merged)} if is_key(key) else {}
            merged.append(bare(item))
        else:
            merged[place] = overlay(merged[place], item, listed.inside)
    return merged


def _places(items: list[Json], listed: Listed, wanted: list[Json]) -> dict[tuple[type, str | int], int]:
    """Where in a list each of those *wanted* is first, by type and key: 1 is not 1.0."""
    keys = values_of(items, listed.key)
    places = reversed(places_of(keys, [key for key in wanted if is_key(key)]))
    return {(type(keys[place]), cast("str | int", keys[place])): place for place in places}


def _key(item: Json, listed: Listed) -> Json:
    key = item.get(listed.key) if isinstance(item, dict) else None
    if key is None:
        raise Invalid(listed.key, "nothing", "a value in each item: the list is merged by it")
    return key


def _has(item: Json, listed: Listed, key: Json) -> bool:
    found = item.get(listed.key) if isinstance(item, dict) else None
    return type(found) is type(key) and found == key


def _directive(item: Json) -> str:
    """What an object says is to be done with it; empty where it is only merged."""
    if not isinstance(item, dict) or PATCH not in item:
        return ""
    directive = item[PATCH]
    if directive not in (DELETE, REPLACE):
        raise Invalid(PATCH, shown(directive), f"{DELETE}, {REPLACE}")
    return str(directive)


def _deletes(item: Json) -> bool:
    return _directive(item) == DELETE


def _undirected(partial: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in partial.items() if not key.startswith("$")}


def _retained(original: dict[str, Json], partial: dict[str, Json]) -> dict[str, Json]:
    retained = partial.get(RETAIN_KEYS)
    if isinstance(retained, list):
        return {key: value for key, value in original.items() if key in retained}
    return dict(original)


def _deleted(merged: dict[str, Json], partial: dict[str, Json]) -> dict[str, Json]:
    """Without the items of lists that *partial* names for that."""
    for key, values in partial.items():
        name = key.removeprefix(DELETE_ITEMS)
        found = merged.get(name)
        if name != key and isinstance(found, list) and isinstance(values, list):
            merged[name] = [item for item in found if item not in values]
    return merged
