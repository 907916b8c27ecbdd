"""proa-init's command line, read into one value. Pure.

Not argparse: it takes 12 ms to import of the 30 the process has, and stops at the first mistake.
"""

from __future__ import annotations

from init.applied import BACKENDS
from proa.capture.choices import DnsTo
from proa.capture.interception import Interception
from proa.capture.refusals import refusal
from proa.capture.settings import RESOLV_CONF, SETTINGS
from proa.capture.spans import read_number
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Final, Literal, TypeAlias

    from init.applied import Backend
    from init.fate import First
    from proa.capture.refusals import Problem
    from proa.errors import Refused


class Install(Value):
    """Intercept this."""

    interception: Interception


class Compare(Value):
    """Say what Install would change."""

    interception: Interception


class Verify(Value):
    """Fail if Install would change anything."""

    interception: Interception


class Prove(Value):
    """Open connections, and fail if one does not arrive where it should."""

    interception: Interception


class Await(Value):
    """Wait until connections show that somebody else did it."""

    interception: Interception
    seconds: int


class Explain(Value):
    """Say which rules a connection meets, without looking at the kernel."""

    interception: Interception
    first: First


class Trace(Value):
    """Have the kernel say which rules a connection meets, and fail if they are not those of Explain."""

    interception: Interception
    first: First


class Remove(Value):
    """Intercept nothing any more."""


Action: TypeAlias = Install | Compare | Verify | Prove | Await | Explain | Trace | Remove


class Request(Value):
    """What one run shall do."""

    action: Action
    dry_run: bool
    """Print the script, touch nothing."""
    output: Literal["json", "text"]
    backend: Backend


class Help(Value):
    """Say what there is to ask for."""


_LONGEST_WAIT: Final = 3600
_FIRST: Final = "such as to=10.96.0.10:80,uid=1000 of the pod, or to=[fd00::2]:8080 of others; udp, gid=, by=eth1, own"
_SECONDS: Final = f"seconds, 1 to {_LONGEST_WAIT}"
_OPTIONS: Final = {
    "--output": (("json", "text"), "how to say what was done: json or text (text)"),
    "--explain": ((), f"say which rules a connection meets: {_FIRST}"),
    "--trace": ((), "the same of one that is made, said by the kernel; one that arrives is waited for"),
    "--await": ((), f"touch nothing; wait until connections show that somebody else has: {_SECONDS}"),
    "--backend": (("auto", *BACKENDS), f"auto, {', '.join(BACKENDS)}; auto tries them in this order (auto)"),
}
_FREE: Final = {"--explain": _FIRST, "--trace": _FIRST, "--await": _SECONDS}
"""What may stand for an option without a list."""
_SWITCHES: Final = {
    "--dry-run": "print the script, touch nothing",
    "--diff": "print what would change, touch nothing",
    "--verify": "fail if anything would change, touch nothing",
    "--prove": "open connections and see where they arrive",
    "--remove": "take interception out again",
    "--help": "print this",
}
_ACTIONS: Final[dict[str, Callable[..., Action]]] = {
    "--diff": Compare,
    "--verify": Verify,
    "--prove": Prove,
    "--remove": Remove,
}
_SHORT: Final = {"-o": "--output", "-h": "--help"}
_SUBJECT: Final = "the command line"


def request(arguments: Sequence[str], name_servers: Callable[[], tuple[str, ...]]) -> Request | Help:
    """What *arguments* ask for. Raises Refused with every problem at once, each under its flag.

    *name_servers* are asked for if the pod's own are meant.
    """
    values, problems = _given(arguments)
    if "--help" in values and not problems:
        return Help()
    if values.get("--dns") == DnsTo((RESOLV_CONF,)):
        values["--dns"] = DnsTo(name_servers())
    problems += _contradictory(values)
    settings = {SETTINGS[flag].field: value for flag, value in values.items() if flag in SETTINGS}
    try:
        interception = Interception(**settings)
    except _refused() as refused:
        raise _whole_refusal(problems, refused) from None
    if problems:
        raise refusal(_SUBJECT, problems)
    output, backend = values.get("--output", "text"), values.get("--backend", "auto")
    return Request(_action(values, interception), dry_run="--dry-run" in values, output=output, backend=backend)


def _action(values: dict[str, Any], interception: Interception) -> Action:
    for flag, made in (("--explain", Explain), ("--trace", Trace)):
        if flag in values:
            return made(interception, values[flag])
    if "--await" in values:
        return Await(interception, values["--await"])
    kind = next((kind for flag, kind in _ACTIONS.items() if flag in values), Install)
    return Remove() if kind is Remove else kind(interception)


def _contradictory(values: dict[str, Any]) -> Iterator[Problem]:
    """One thing is done at a time."""
    chosen = [flag for flag in (*_ACTIONS, *_FREE, "--dry-run") if flag in values]
    if len(chosen) > 1 and chosen != ["--remove", "--dry-run"]:
        yield chosen[1], f"with {chosen[0]}", "one of them"


def usage() -> str:
    """The help text."""
    head = "usage: proa-init [FLAG [VALUE]]…\n\nSends the connections of this network namespace through the proxy.\n"
    settings = (f"{flag} VALUE".ljust(34) + _purpose(flag) for flag in SETTINGS)
    options = (f"{flag} VALUE".ljust(34) + purpose for flag, (_, purpose) in _OPTIONS.items())
    switches = (flag.ljust(34) + purpose for flag, purpose in _SWITCHES.items())
    return "\n  ".join((head, *settings, *options, *switches)) + "\n"


def _purpose(flag: str) -> str:
    setting = SETTINGS[flag]
    return f"{setting.purpose}: {setting.allowed} ({setting.spell(getattr(Interception, setting.field)) or 'nothing'})"


def _given(arguments: Sequence[str]) -> tuple[dict[str, Any], list[Problem]]:
    """The flags with their values, read; and what is wrong with those that are left out."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for flag, text in _flags(arguments):
        if flag in values:
            problems.append((flag, text, "each flag once"))
        elif flag in SETTINGS or flag in _OPTIONS:
            _read(flag, text, values, problems)
        elif flag not in _SWITCHES:
            problems.append(("argument", flag, ", ".join((*SETTINGS, *_OPTIONS, *_SWITCHES, *_SHORT))))
        elif text is None:
            values[flag] = True
        else:
            problems.append((flag, text, "no value"))
    return values, problems


def _flags(arguments: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Flags by their long names, each with the value it was given, as `--flag=value` or `--flag value`."""
    rest = list(arguments)
    while rest:
        name, joined, text = rest.pop(0).partition("=")
        flag = _SHORT.get(name, name)
        if joined:
            yield flag, text
        elif (flag in SETTINGS or flag in _OPTIONS) and rest and not rest[0].startswith("--") and rest[0] not in _SHORT:
            yield flag, rest.pop(0)
        else:
            yield flag, None


def _read(flag: str, text: str | None, values: dict[str, Any], problems: list[Problem]) -> None:
    try:
        values[flag] = _value(flag, text)
    except ValueError:
        allowed = SETTINGS[flag].allowed if flag in SETTINGS else " or ".join(_OPTIONS[flag][0]) or _FREE[flag]
        problems.append((flag, text, allowed))


def _value(flag: str, text: str | None) -> object:
    """Raises ValueError."""
    if flag == "--await" and text is not None:
        return _seconds(text)
    if flag in _FREE and text is not None:
        from init.dialling import read_first  # noqa: PLC0415 - only who asks pays for it

        return read_first(text)
    if text is None or (flag in _OPTIONS and text not in _OPTIONS[flag][0]):
        raise ValueError
    return SETTINGS[flag].read(text) if flag in SETTINGS else text


def _seconds(text: str) -> int:
    """Raises ValueError."""
    if not 1 <= (seconds := read_number(text)) <= _LONGEST_WAIT:
        raise ValueError
    return seconds


def _refused() -> type[Refused]:
    """For an except clause, which is evaluated only when something was raised."""
    from proa.errors import Refused  # noqa: PLC0415 - only the refused pay for it

    return Refused


def _whole_refusal(problems: list[Problem], refused: Refused) -> Refused:
    """*problems* with those of the interception, which bear the names of its fields."""
    from proa.errors import Invalid, Refused  # noqa: PLC0415 - only the refused pay for it

    flags = {setting.field: flag for flag, setting in SETTINGS.items()}
    theirs = (Invalid(flags[problem.field], problem.found, problem.allowed) for problem in refused.problems)
    return Refused(_SUBJECT, (*refusal(_SUBJECT, problems).problems, *theirs))
