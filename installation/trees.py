"""Looking into objects as the API server sends them: what is absent, null or of another shape is empty. Pure."""

from proa.json import Json


def member(value: Json, *path: str) -> Json:
    """What stands at *path* below *value*; None where nothing does."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text(value: Json, *path: str) -> str:
    found = member(value, *path)
    return found if isinstance(found, str) else ""


def number(value: Json, *path: str) -> int:
    found = member(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def texts(value: Json, *path: str) -> dict[str, str]:
    """A mapping of texts, such as labels; values of another kind are left out."""
    found = member(value, *path)
    members = found if isinstance(found, dict) else {}
    return {key: each for key, each in members.items() if isinstance(each, str)}


def listed(value: Json, *path: str) -> list[Json]:
    found = member(value, *path)
    return found if isinstance(found, list) else []
