"""Runs nft and iptables, feeding and reading them by files in memory. Shell."""

from __future__ import annotations

import os

from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Final

_NOEXEC_SEAL: Final = 8
"""MFD_NOEXEC_SEAL: where the sysctl vm.memfd_noexec is 2, the kernel gives no file in memory without it."""


class Answer(Value):
    """How one run ended."""

    status: int
    output: str
    complaint: str


def run(program: str, *arguments: str, script: str = "", **variables: str) -> Answer:
    """Run *program* with files in memory for its streams: no pipe can fill up. subprocess would take 6 ms to import.

    *variables* are for its environment. Raises ProgramMissing.
    """
    with _memory() as asked, _memory() as output, _memory() as complaint:
        asked.write(script.encode())
        asked.seek(0)
        streams = [
            (os.POSIX_SPAWN_DUP2, file.fileno(), number) for number, file in enumerate((asked, output, complaint))
        ]
        # strerror(3) speaks the locale's language, init.failures speaks English.
        environment = {**os.environ, "LC_ALL": "C", **variables}
        try:
            child = os.posix_spawnp(program, (program, *arguments), environment, file_actions=streams)
        except OSError as error:
            from init.failures import missing  # noqa: PLC0415 - only a failure pays for it

            raise missing(program, error) from error
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return Answer(status, _written(output), _written(complaint))


def _memory() -> BinaryIO:
    try:
        number = os.memfd_create("proa-init", os.MFD_CLOEXEC | _NOEXEC_SEAL)
    except OSError:  # Linux before 6.3 does not know the flag
        number = os.memfd_create("proa-init")
    return os.fdopen(number, "w+b", buffering=0)


def _written(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
