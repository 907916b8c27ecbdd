"""proa-init: makes a pod's connections pass through its proxy, proves the kernel took it, says so. Shell."""

from __future__ import annotations

import sys

from init import kernel
from init.flags import Help, Install, Remove, request, usage
from init.nameservers import of_pod
from init.report import REMOVED_TEXT, applied_json, applied_text, json_line
from init.rules import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from init.flags import Request
    from proa.errors import ProaError


def main(argv: Sequence[str] | None = None) -> int:
    """Do what *argv* asks. 0: done. 1: the kernel refused, and nothing was changed. 2: the request makes no sense."""
    try:
        asked = request(sys.argv[1:] if argv is None else argv, of_pod)
        sys.stdout.write(usage() if isinstance(asked, Help) else _outcome(asked))
    except _proa_error() as error:
        sys.stderr.write(f"proa-init: {error}\n")
        return 2 if error.code == "refused" else 1
    return 0


def _outcome(asked: Request) -> str:
    if asked.dry_run:
        return _script(asked)
    match asked.action:
        case Install(wanted):
            applied = kernel.apply(wanted, asked.backend)
            return applied_json(wanted, applied) if asked.output == "json" else applied_text(wanted, applied)
        case Remove():
            kernel.remove(asked.backend)
            return json_line(action="removed", table=TABLE) if asked.output == "json" else REMOVED_TEXT


def _script(asked: Request) -> str:
    match asked.action:
        case Install(wanted):
            text = kernel.scripts(wanted, asked.backend)
        case Remove():
            text = kernel.removals(asked.backend)
    return json_line(action="none", script=text) if asked.output == "json" else text


def _proa_error() -> type[ProaError]:
    """For an except clause, which is evaluated only when something was raised."""
    from proa.errors import ProaError  # noqa: PLC0415 - only a failure pays for it

    return ProaError


if __name__ == "__main__":
    sys.exit(main())
