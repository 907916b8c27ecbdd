"""An interception as an injected pod's annotation, by which whoever programs the pod from outside knows it. Pure.

A JSON object: a member for each setting that is not as by default, its key the flag of `proa-init` without the dashes,
its value the text that the flag takes. `{}` is the default.
"""

from __future__ import annotations

import json

from proa import names
from proa.capture.interception import Interception
from proa.capture.refusals import refusal
from proa.capture.settings import SETTINGS, described
from proa.errors import Invalid, Refused, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from proa.capture.refusals import Problem

ANNOTATION: Final = f"{names.PREFIX}/interception"
"""Written by the webhook over whatever the pod's author wrote."""
LONGEST: Final = 65_536
"""Characters: more than all that a pod's settings may be together, less than all of its annotations (256 KiB)."""
_LONGEST_FIELD: Final = 80
_SUBJECT: Final = f"the annotation {ANNOTATION}"


def annotation(wanted: Interception) -> str:
    """The annotation's value: the same for equal interceptions."""
    default = described(Interception())
    return json.dumps(
        {key: text for key, text in described(wanted).items() if text != default[key]}, separators=(",", ":")
    )


def from_annotation(text: str) -> Interception:
    """What *text* describes. Raises Refused with every problem at once, each under its key."""
    problems: list[Problem] = []
    settings: dict[str, Any] = {}
    for key, value in _members(text):
        if (setting := SETTINGS.get(f"--{key}")) is None:
            problems.append((_field(key), value, ", ".join(flag[2:] for flag in SETTINGS)))
        elif setting.field in settings:
            problems.append((key, value, "each key once"))
        else:
            try:
                settings[setting.field] = setting.read(_text(value))
            except ValueError:
                problems.append((key, value, setting.allowed))
    try:
        wanted = Interception(**settings)
    except Refused as refused:
        raise _whole(problems, refused) from None
    if problems:
        raise refusal(_SUBJECT, problems)
    return wanted


def _field(key: str) -> str:
    """As it stands, unless it would be more than a word: it is its author's, and goes into logs and Events."""
    return key if key.isprintable() and len(key) <= _LONGEST_FIELD else shown(key)


def _members(text: str) -> list[tuple[str, object]]:
    """Of the one object that *text* is, those with the same key as well. Raises Refused."""
    try:
        members = _decoded(text)
    except (ValueError, RecursionError):
        raise refusal(_SUBJECT, [("the document", text, f"JSON of at most {LONGEST} characters")]) from None
    if not isinstance(members, _Members):
        raise refusal(_SUBJECT, [("the document", text, "an object")])
    return members


class _Members(list["tuple[str, object]"]):
    """Of an object, in their order."""


def _decoded(text: str) -> object:
    """Raises ValueError, or RecursionError for brackets that are too deep."""
    if len(text) > LONGEST:
        raise ValueError
    return json.loads(text, object_pairs_hook=_Members)


def _text(value: object) -> str:
    """Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - a value of the document, not an argument
    return value


def _whole(problems: list[Problem], refused: Refused) -> Refused:
    """*problems* with those of the interception, which bear the names of its fields."""
    keys = {setting.field: flag[2:] for flag, setting in SETTINGS.items()}
    theirs = (Invalid(keys[problem.field], problem.found, problem.allowed) for problem in refused.problems)
    return Refused(_SUBJECT, (*refusal(_SUBJECT, problems).problems, *theirs))
