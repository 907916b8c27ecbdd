"""proa-init's command line, read into one value. Pure.

Not argparse: it takes 12 ms to import of the 30 the process has, and stops at the first mistake.
"""

from __future__ import annotations

from init.interception import Interception
from init.refusals import refusal
from init.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Final, Literal

    from init.refusals import Problem
    from proa.errors import Refused


class Install(Value):
    """Intercept this."""

    interception: Interception


class Remove(Value):
    """Intercept nothing any more."""


class Request(Value):
    """What one run shall do."""

    action: Install | Remove
    dry_run: bool
    """Print the script, touch nothing."""
    output: Literal["json", "text"]


class Help(Value):
    """Say what there is to ask for."""


class Setting(Value):
    """A flag with a value."""

    field: str
    read: Callable[[str], object]
    """Raises ValueError."""
    allowed: str
    purpose: str


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise ValueError
    return int(text)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(_number, text.split(","))) if text else ()


def _output(text: str) -> str:
    if text not in {"json", "text"}:
        raise ValueError
    return text


_SETTINGS: Final = {
    "--proxy-uid": Setting("proxy_uid", _number, "a number", "user the proxy runs as"),
    "--proxy-gid": Setting("proxy_gid", _number, "a number", "group the proxy runs as"),
    "--outbound-port": Setting("outbound_port", _number, "a number", "proxy's port for what the pod dials"),
    "--inbound-port": Setting("inbound_port", _number, "a number", "proxy's port for what dials the pod"),
    "--exclude-inbound-ports": Setting(
        "excluded_inbound_ports", _numbers, "numbers with commas between, or nothing", "ports reached directly"
    ),
    "--output": Setting("output", _output, "json or text", "how to say what was done"),
}
_SWITCHES: Final = {
    "--dry-run": "print the nft script, touch nothing",
    "--remove": "take interception out again",
    "--help": "print this",
}
_SHORT: Final = {"-o": "--output", "-h": "--help"}
_SUBJECT: Final = "the command line"


def request(arguments: Sequence[str]) -> Request | Help:
    """What *arguments* ask for. Raises Refused with every problem at once, each under its flag."""
    values, problems = _given(arguments)
    if "--help" in values and not problems:
        return Help()
    settings = {_SETTINGS[flag].field: value for flag, value in values.items() if flag in _SETTINGS}
    output = settings.pop("output", "text")
    try:
        interception = Interception(**settings)
    except _refused() as refused:
        raise _whole_refusal(problems, refused) from None
    if problems:
        raise refusal(_SUBJECT, problems)
    action = Remove() if "--remove" in values else Install(interception)
    return Request(action, dry_run="--dry-run" in values, output=output)


def usage() -> str:
    """The help text."""
    head = (
        "usage: proa-init [FLAG [VALUE]]…\n\nSends the TCP connections of this network namespace through the proxy.\n"
    )
    settings = (f"{flag} VALUE".ljust(32) + _purpose(setting) for flag, setting in _SETTINGS.items())
    switches = (flag.ljust(32) + purpose for flag, purpose in _SWITCHES.items())
    return "\n  ".join((head, *settings, *switches)) + "\n"


def _purpose(setting: Setting) -> str:
    default = str(getattr(Interception, setting.field, "text"))
    return f"{setting.purpose} ({default.strip('()').replace(' ', '')})"


def _given(arguments: Sequence[str]) -> tuple[dict[str, Any], list[Problem]]:
    """The flags with their values, read; and what is wrong with those that are left out."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for flag, text in _flags(arguments):
        if flag in values:
            problems.append((flag, text, "each flag once"))
        elif flag in _SETTINGS:
            _read(flag, text, values, problems)
        elif flag not in _SWITCHES:
            problems.append(("argument", flag, ", ".join((*_SETTINGS, *_SWITCHES, *_SHORT))))
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
        elif flag in _SETTINGS and rest and not rest[0].startswith("--") and rest[0] not in _SHORT:
            yield flag, rest.pop(0)
        else:
            yield flag, None


def _read(flag: str, text: str | None, values: dict[str, Any], problems: list[Problem]) -> None:
    setting = _SETTINGS[flag]
    if text is None:
        problems.append((flag, None, setting.allowed))
        return
    try:
        values[flag] = setting.read(text)
    except ValueError:
        problems.append((flag, text, setting.allowed))


def _refused() -> type[Refused]:
    """For an except clause, which is evaluated only when something was raised."""
    from proa.errors import Refused  # noqa: PLC0415 - only the refused pay for it

    return Refused


def _whole_refusal(problems: list[Problem], refused: Refused) -> Refused:
    """*problems* with those of the interception, which bear the names of its fields."""
    from proa.errors import Invalid, Refused  # noqa: PLC0415 - only the refused pay for it

    flags = {setting.field: flag for flag, setting in _SETTINGS.items()}
    theirs = (Invalid(flags[problem.field], problem.found, problem.allowed) for problem in refused.problems)
    return Refused(_SUBJECT, (*refusal(_SUBJECT, problems).problems, *theirs))
