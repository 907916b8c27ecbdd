"""Looking into objects as the API server sends them: what is absent, null or of another shape is empty. Pure."""

from proa.json import Json
from proa.trees import listed, member, members, text

__all__ = ("listed", "member", "number", "text", "texts")


def number(value: Json, *path: str) -> int:
    found = member(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def texts(value: Json, *path: str) -> dict[str, str]:
    """A mapping of texts, such as labels; values of another kind are left out."""
    return {key: each for key, each in members(value, *path).items() if isinstance(each, str)}
