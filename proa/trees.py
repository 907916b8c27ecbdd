"""Looking into plain JSON that may be anything: what is absent, null or of another shape is empty. Pure."""

from proa.json import Json


def member(value: Json, *path: str) -> Json:
    """What stands at *path* below *value*; None where nothing does."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def members(value: Json, *path: str) -> dict[str, Json]:
    found = member(value, *path)
    return found if isinstance(found, dict) else {}


def listed(value: Json, *path: str) -> list[Json]:
    found = member(value, *path)
    return found if isinstance(found, list) else []


def text(value: Json, *path: str) -> str:
    found = member(value, *path)
    return found if isinstance(found, str) else ""


def same(one: Json, other: Json) -> bool:
    """Whether both are written alike in JSON, members in any order: 1, 1.0 and true are three things."""
    match one, other:
        case _ if one is other:
            return True
        case dict(), dict():
            return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
        case _:
            return type(one) is type(other) and one == other
