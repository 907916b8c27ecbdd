"""How far a record of what templates changed is believed that anybody may have written. Pure.

The author of a pod writes its record, too, and webhooks that were asked before Proa's wrote into the pod: a record that
somebody made up must not take that out. So of a record's differences those stay that are in places which a template of
the configuration writes, and a user's own containers of Proa's names, which are the author's anyway; and those that
the pod's templates make again: where a list's keys do not tell its items apart, a record holds the list as a whole, as
nobody replaces it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

from msgspec.structs import replace

from proa.json import Json
from proa.merging import CONTAINER, POD, Listed, Merging, within
from proa.mesh import MeshConfiguration
from proa.overlay import DELETE, DELETE_ITEMS, PATCH, REPLACE, RETAIN_KEYS
from proa.partial import EVERY
from proa.protected import OWN
from proa.trees import listed, members, same
from webhook.difference import Difference
from webhook.status import Status, changes_read

_OWN: Final[list[Json]] = [{"name": name, PATCH: DELETE} for name in OWN]
"""What moves a user's own containers out of the pod's lists, as a template would."""


def reachable(record: Status, configuration: MeshConfiguration, again: Difference) -> Status:
    """*record* without the changes that no template of *configuration* makes; *again* are those that the pod's own make
    where all of the record is undone. Raises Invalid for what is no record.
    """
    partials: list[Json] = [
        {"metadata": each.metadata, "spec": each.spec} for each in configuration.known_templates.values()
    ]
    partials.append({"spec": {"containers": _OWN, "initContainers": _OWN}})
    with changes_read():
        return replace(record, changed=_within(record.changed, again, partials, POD))


def _within(record: Difference, again: Difference, partials: Sequence[Json], merging: Merging) -> Difference:
    """Of the difference of a mapping: all of it where a template replaces it."""
    found = [each for each in partials if isinstance(each, dict)]
    if any(map(_replaces, found)):
        return record
    written: dict[str, list[Json]] = {}
    for partial in found:
        for key, value in partial.items():
            name = key.removeprefix(DELETE_ITEMS)
            written.setdefault(name, []).append(value if name == key else _deleted(value))
    whole = {key for key, values in written.items() if any(_sets(value, merging.get(key)) for value in values)}
    inside = {
        key: reached
        for key, each in record.get("in", {}).items()
        if key in written and (reached := _member(each, members(again, "in", key), written[key], merging.get(key)))
    }
    was, absent = members(again, "was"), listed(again, "absent")
    return _filled(
        record,
        absent=[key for key in record.get("absent", ()) if key in whole or key in absent],
        was={
            key: value
            for key, value in record.get("was", {}).items()
            if key in whole or (key in was and same(value, was[key]))
        },
        inside=inside,
    )


def _member(record: Difference, again: Difference, values: Sequence[Json], how: Listed | Merging | None) -> Difference:
    if "by" not in record:
        return record if any(map(_empties, values)) else _within(record, again, values, within(how))
    return _within_list(record, again, values, how) if isinstance(how, Listed) and record["by"] == how.key else {}


def _within_list(record: Difference, again: Difference, values: Sequence[Json], how: Listed) -> Difference:
    items = [item for value in values if isinstance(value, list) for item in value if isinstance(item, dict)]
    if any(map(_replaces, items)):
        return record
    by_key: dict[Json, list[Json]] = {}
    for item in items:
        by_key.setdefault(cast("Any", item.get(how.key)), []).append(item)
    every = by_key.get(EVERY, [])
    # Where the pod's templates change the list otherwise, its items may be no pairs.
    made = dict(again.get("in", ())) if again.get("by") == how.key else {}
    inside = [
        [key, reached]
        for key, each in record.get("in", ())
        if (reached := _within(each, made.get(key, {}), [*by_key.get(key, ()), *every], how.inside))
    ]
    deleted = [item.get(how.key) for item in items if PATCH in item]
    return _filled(
        record,
        absent=[key for key in record.get("absent", ()) if any(_adds(item, how) for item in by_key.get(key, ()))],
        was=[[behind, item] for behind, item in record.get("was", ()) if item[how.key] in deleted],
        inside=inside,
    )


def _adds(item: Json, how: Listed) -> bool:
    """Whether a template adds *item* where it is not there: no container is without an image."""
    return how.inside is not CONTAINER or (isinstance(item, dict) and "image" in item)


def _sets(value: Json, how: Listed | Merging | None) -> bool:
    """Whether a template's *value* takes the place of what was there, or fills a place where nothing was."""
    if how is None or value is None or _replaces(value):
        return True
    return isinstance(value, list) and any(map(_replaces, value))


def _replaces(partial: Json) -> bool:
    return isinstance(partial, dict) and (partial.get(PATCH) == REPLACE or RETAIN_KEYS in partial)


def _deleted(items: Json) -> Json:
    """What `$deleteFromPrimitiveList` names, as items that say it of themselves."""
    found = items if isinstance(items, list) else []
    return [{**item, PATCH: DELETE} if isinstance(item, dict) else item for item in found]


def _empties(partial: Json) -> bool:
    """Of a mapping: `$patch: delete` leaves none of its members."""
    return isinstance(partial, dict) and partial.get(PATCH) == DELETE


def _filled(record: Difference, *, absent: Iterable[Any], was: Any, inside: Any) -> Difference:
    """Nothing where nothing is left; else with what says how the whole came to be there."""
    left = {key: value for key, value in (("absent", absent), ("was", was), ("in", inside)) if value}
    return {**{key: record[key] for key in ("by", "before") if key in record}, **left} if left else {}
