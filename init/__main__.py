"""proa-init: makes a pod's connections pass through its proxy, proves the kernel took it, says so. Shell."""

from __future__ import annotations

import os
import sys

from init import inotify, kernel, marking
from init.flags import Await, Compare, Explain, Help, Install, Prove, Remove, Trace, Verify, request, usage
from init.report import REMOVED_TEXT, applied_json, applied_text, explained, said, traced
from init.rules import TABLE, ruleset
from init.sources import PREFIX, arguments
from proa.capture.refusals import refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from init.fate import First
    from init.flags import Request
    from proa.capture.interception import Interception
    from proa.errors import ProaError


_LONGEST_FILE = 2**20
_STATUSES = {"refused": 2, "not_programmed": 3}
"""Of failures by their code; 1 of all others."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what *argv* asks, and give the exit status that docs/proa-init.md tells of."""
    try:
        asked = request(_arguments(sys.argv[1:] if argv is None else argv), _name_servers)
        sys.stdout.write(usage() if isinstance(asked, Help) else _outcome(asked))
    except _proa_error() as error:
        sys.stderr.write(f"proa-init: {error}\n")
        return _STATUSES.get(error.code, 1)
    return 0


def _arguments(given: Sequence[str]) -> Sequence[str]:
    """*given* with what the environment and the file say; or, of Istio's, the same in our words. Raises Refused."""
    if given[:1] == ["--istio"]:
        from init.istio import translated  # noqa: PLC0415 - few pods come from there

        return translated(given[1:], os.environ)
    return arguments(given, os.environ, _file(os.environ.get(f"{PREFIX}FILE", "")))


def _file(path: str) -> str:
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes 8 ms
            return file.read(_LONGEST_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise refusal("the settings", [(f"{PREFIX}FILE", path, f"a file that can be read: {error}")]) from error


def _name_servers() -> tuple[str, ...]:
    from init.nameservers import of_pod  # noqa: PLC0415 - few pods ask for their own

    return of_pod()


def _read(path: str) -> str:
    """Of the kernel, which may not tell it."""
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123 - pathlib takes 8 ms
            return file.read(64)
    except OSError:
        return ""


def _warn(words: str) -> None:
    if words:
        sys.stderr.write(f"proa-init: warning: {words}\n")


def _outcome(asked: Request) -> str:
    output, backend = asked.output, asked.backend
    match asked.action:
        case Install(wanted) if asked.dry_run:
            text = kernel.scripts(wanted, backend)
            return said(output, text, action="none", script=text)
        case Remove() if asked.dry_run:
            text = kernel.removals(backend)
            return said(output, text, action="none", script=text)
        case Install(wanted):
            applied = kernel.apply(wanted, backend)
            _warn(inotify.warning(_read(inotify.LIMIT_FILE)))
            _warn(marking.warning(wanted, _read(marking.RELEASE_FILE)))
            return applied_json(wanted, applied) if output == "json" else applied_text(wanted, applied)
        case Remove():
            kernel.remove(backend)
            return said(output, REMOVED_TEXT, action="removed", table=TABLE)
        case _:
            return _looked_at(asked.action, asked)


def _looked_at(action: Compare | Verify | Prove | Await | Explain | Trace, asked: Request) -> str:
    """What changes nothing."""
    match action:
        case Compare(wanted):
            found = kernel.differences(wanted, asked.backend)
            text = "".join(f"{line}\n" for line in found) or "nothing would change\n"
            return said(asked.output, text, action="none", differences=found)
        case Verify(wanted):
            kernel.verify(wanted, asked.backend)
            return said(asked.output, "all is as asked for\n", action="verified")
        case Explain(wanted, first):
            from init.walking import way  # noqa: PLC0415 - only who asks pays for it

            return explained(way(ruleset(wanted), first), asked.output)
        case Trace(wanted, first):
            return _traced(wanted, first, asked.output)
        case Prove() | Await():
            names = _proved(action.interception) if isinstance(action, Prove) else _awaited(action)
            text = "".join(f"as it should be: {name}\n" for name in names)
            return said(asked.output, text, action="proved", connections=names)


def _traced(wanted: Interception, first: First, output: str) -> str:
    """The kernel's account, if it is as computed. Raises KernelRefused."""
    from init.failures import astray  # noqa: PLC0415 - only who asks pays for it
    from init.monitoring import monitored  # noqa: PLC0415 - likewise
    from init.tracing import deviations, told  # noqa: PLC0415 - likewise
    from init.walking import way  # noqa: PLC0415 - likewise

    computed = way(ruleset(wanted), first)
    found = told(monitored(first))
    if differing := deviations(found, computed):
        raise astray(differing)
    return traced(found, computed.fate, output)


def _proved(wanted: Interception) -> tuple[str, ...]:
    """The names of what arrived where it should, which is all. Raises NotProved."""
    from init.failures import unproved  # noqa: PLC0415 - only who asks for proof pays for it
    from init.proving import prove  # noqa: PLC0415 - likewise

    shown = prove(wanted)
    if failed := tuple(f"{each.name}: {each.words}" for each in shown if each.words):
        raise unproved(failed)
    return tuple(each.name for each in shown)


def _awaited(action: Await) -> tuple[str, ...]:
    """The names of what showed that the pod is intercepted. Raises KernelRefused."""
    from init.awaiting import awaited  # noqa: PLC0415 - only a pod that somebody else programs waits

    return awaited(action.interception, action.seconds)


def _proa_error() -> type[ProaError]:
    """For an except clause, which is evaluated only when something was raised."""
    from proa.errors import ProaError  # noqa: PLC0415 - only a failure pays for it

    return ProaError


if __name__ == "__main__":
    sys.exit(main())
