"""The kinds of value that an annotation may have: how each is read, and what is allowed, in words. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeAlias, TypeVar

from proa import dns
from proa.containers import IMAGE_PATTERN
from proa.quantity import PATTERN

_T = TypeVar("_T")
_DURATION: Final = re.compile(r"(?:([0-9]{1,4})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,8})s)?")
_SECONDS: Final = re.compile(r"[0-9]{1,8}")
_LEVEL: Final = re.compile(r"[a-z][a-z0-9_]{0,39}:(?:trace|debug|info|warning|warn|error|critical|off)")
_LONGEST_LEVELS: Final = 1000
NONE: Final = "none"
"""In a quantity's place: there shall be none, whatever the default is."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[_T]):
    """*read* gives a text's value, and raises ValueError or KeyError where it has none; *allowed* says which have."""

    allowed: str
    read: Callable[[str], _T]


@dataclass(frozen=True, slots=True)
class First:
    """Before all init containers of the pod."""


@dataclass(frozen=True, slots=True)
class Last:
    """Behind all init containers of the pod."""


@dataclass(frozen=True, slots=True)
class Before:
    """Right before an init container."""

    name: str


@dataclass(frozen=True, slots=True)
class After:
    """Right behind an init container."""

    name: str


Place: TypeAlias = First | Last | Before | After


def _quantity(text: str) -> str:
    if text != NONE and not re.search(PATTERN, text):
        raise ValueError
    return text


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _image(text: str) -> str:
    if not re.fullmatch(IMAGE_PATTERN, text):
        raise ValueError
    return text


def _levels(text: str) -> str:
    """Envoy's own list; it calls `warning` also `warn`."""
    if len(text) > _LONGEST_LEVELS or not all(_LEVEL.fullmatch(each) for each in text.split(",")):
        raise ValueError
    return text


def _place(text: str) -> Place:
    match text.partition(":"):
        case ("first", "", _):
            return First()
        case ("last", "", _):
            return Last()
        case ("before", ":", name) if re.fullmatch(dns.LABEL, name):
            return Before(name)
        case ("after", ":", name) if re.fullmatch(dns.LABEL, name):
            return After(name)
        case _:
            raise ValueError


QUANTITY: Final = Kind(f"a quantity such as 500m or 128Mi, or {NONE}", _quantity)
BOOLEAN: Final = Kind("true or false", _boolean)
IMAGE_REFERENCE: Final = Kind("an image reference", _image)
COMPONENT_LEVELS: Final = Kind(
    "a list such as upstream:debug,config:trace of components of Envoy with a level each", _levels
)
PLACE: Final = Kind("first, last, before:NAME or after:NAME, with the name of an init container of the pod", _place)


def number(least: int, most: int) -> Kind[int]:
    """A whole number of these bounds."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most):
            raise ValueError
        return int(text)

    return Kind(f"a whole number from {least} to {most}", read)


def seconds(least: int, most: int) -> Kind[int]:
    """A duration as Go writes them, in whole seconds; without a unit it is seconds."""

    def read(text: str) -> int:
        found = _DURATION.fullmatch(text)
        if _SECONDS.fullmatch(text):
            total = int(text)
        elif text and found:
            hours, minutes, rest = (int(part or 0) for part in found.groups())
            total = hours * 3600 + minutes * 60 + rest
        else:
            raise ValueError
        if not least <= total <= most:
            raise ValueError
        return total

    return Kind(f"a duration such as 30s or 1m30s, from {least} to {most} seconds", read)


_E = TypeVar("_E", bound=StrEnum)


def choice(of: type[_E]) -> Kind[_E]:
    """One of the values of an enumeration."""
    return Kind(", ".join(of), of)
