"""Errors as values: a stable code and fields; the edge chooses the words' place, the status and the exit code. Pure."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar


@dataclass(eq=False)
class ProaError(Exception):
    """Anything Proa refuses or fails at. Subclasses add fields and a code that never changes."""

    code: ClassVar[str] = "error"


@dataclass(eq=False)
class Invalid(ProaError):
    """One value that cannot be used: *field* is its path, *found* what stood there, *allowed* what may."""

    code: ClassVar[str] = "invalid"
    field: str
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.field}: found {self.found}, allowed: {self.allowed}"

    def under(self, parent: str) -> "Invalid":
        """The same error, its field as seen from *parent* (`proxy` and `image` give `proxy.image`)."""
        return Invalid(f"{parent}.{self.field}" if self.field else parent, self.found, self.allowed)


@dataclass(eq=False)
class Refused(ProaError):
    """Every bad value of one input at once, so that a user mends them in one round."""

    code: ClassVar[str] = "refused"
    subject: str
    problems: tuple[Invalid, ...]

    def __str__(self) -> str:
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"{self.subject} is not usable:{lines}"


class Problems:
    """Collects what is invalid while an input is read, then refuses it whole."""

    def __init__(self) -> None:
        self._found: list[Invalid] = []

    @contextmanager
    def collected(self, parent: str = "") -> Generator[None]:
        """Swallow an Invalid or Refused raised inside, remembering it under *parent*."""
        try:
            yield
        except Invalid as problem:
            self._found.append(problem.under(parent) if parent else problem)
        except Refused as refusal:
            self._found.extend(problem.under(parent) if parent else problem for problem in refusal.problems)

    def add(self, problems: Iterable[Invalid]) -> None:
        self._found.extend(problems)

    def refuse(self, subject: str) -> None:
        """Raise Refused for *subject* if anything was collected."""
        if self._found:
            raise self.refusal(subject)

    def refusal(self, subject: str) -> Refused:
        return Refused(subject, tuple(self._found))

    def __bool__(self) -> bool:
        return bool(self._found)


def shown(value: object, limit: int = 80) -> str:
    """A found value as an error shows it: quoted, on one line, cut at *limit* characters."""
    text = _written(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _written(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case _:
            try:
                return repr(value)
            except (ValueError, RecursionError):
                # A number of thousands of digits (sys.set_int_max_str_digits), or brackets as deep.
                return f"{type(value).__name__} too long to show"
