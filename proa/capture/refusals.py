"""Bad input, all of it at once. Pure. To start fast, it imports `proa.errors` only when there is something bad."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from proa.errors import Refused

Problem: TypeAlias = "tuple[str, object, str]"
"""The field, what was found, what is allowed."""


def refusal(subject: str, problems: Iterable[Problem]) -> Refused:
    """The error that names every one of *problems*, to be raised by the caller."""
    from proa.errors import Invalid, Refused, shown  # noqa: PLC0415 - only the refused pay for it

    return Refused(subject, tuple(Invalid(field, shown(found), allowed) for field, found, allowed in problems))
