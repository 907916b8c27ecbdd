"""JSON into typed views, every failure an Invalid that names the field. Pure."""

import re
from typing import Final, TypeVar

import msgspec

from proa import names
from proa.errors import Invalid

_T = TypeVar("_T")
_MISSING: Final = re.compile(r"Object missing required field `(.+)`")
_MISTYPED: Final = re.compile(r"Expected `(.+)`(.*), got `(.+)`")
_SHORT: Final = re.compile(r"Expected `(.+)` of length >= (\d+)")
_WORDS: Final = {
    "array": "a list",
    "bool": "a boolean",
    "float": "a number",
    "int": "a whole number",
    "object": "a mapping",
    "str": "text",
}
"""msgspec speaks to programmers; a pod's author reads these."""
# Our labels and annotations, which Kubernetes' field paths quote as their names hold a dot.
_OWN_KEY: Final = re.compile(rf"\.({re.escape(names.PREFIX)}/\w+)")


def decoded(text: bytes | msgspec.Raw, kind: type[_T], subject: str) -> _T:
    """*text* as a *kind*, what *kind* does not name ignored. Invalid names *subject* where no field is at fault."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(error, subject) from error
    except (ValueError, RecursionError) as error:
        # Malformed JSON, text that is not UTF-8, and brackets nested deeper than any reader goes.
        raise Invalid(subject, f"what is not JSON ({error})", "JSON in UTF-8") from error


def converted(value: object, kind: type[_T], subject: str) -> _T:
    """The plain *value* as a *kind*, by the same rules as `decoded`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _invalid(error, subject) from error


def _invalid(error: msgspec.ValidationError, subject: str) -> Invalid:
    complaint, _, place = str(error).partition(" - at `$")
    parent = _OWN_KEY.sub(r"['\1']", place.rstrip("`").removeprefix("."))
    if missing := _MISSING.fullmatch(complaint):
        return Invalid(f"{parent}.{missing[1]}" if parent else missing[1], "nothing", "a value: the field is required")
    if mistyped := _MISTYPED.fullmatch(complaint):
        return Invalid(parent or subject, _worded(mistyped[3]), f"{_worded(mistyped[1])}{mistyped[2]}")
    if short := _SHORT.fullmatch(complaint):
        return Invalid(parent or subject, f"{_worded(short[1])} too short", f"at least {short[2]}")
    return Invalid(parent or subject, "a value out of bounds", complaint.replace("`", ""))


def _worded(types: str) -> str:
    """`str | null` as people say it; null is left out, as absent is what one would write."""
    return " or ".join(_WORDS.get(each, each) for each in types.split(" | ") if each != "null" or types == "null")
