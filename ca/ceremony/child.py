"""Starts the process of a ceremony, bounds what it may take, and sees to its end. Shell."""

import asyncio
import os
import sys
from contextlib import suppress
from signal import SIGKILL
from subprocess import PIPE, Popen
from typing import IO, Final, cast

from ca.ceremony.messages import LONGEST, CeremonyLost

SECONDS: Final = 60.0
"""For all of it. Its calls of the API server end after 30 each (`kube.calls`), and say what kept them."""
_COMMAND: Final = (sys.executable, "-I", "-B", "-m", "ca.ceremony")


async def held(asked: bytes, command: tuple[str, ...] = _COMMAND, seconds: float = SECONDS) -> bytes:
    """The answer of a process that was given *asked* and has ended. Raises CeremonyLost.

    It has our environment, where the API server and our account are named, and our standard error for its log. Nothing
    of our memory: it is not forked, and Popen's way (vfork) calls none of gRPC's handlers for that, as uvloop's would.
    """
    try:
        # Some milliseconds, and our own program.
        process = Popen(command, stdin=PIPE, stdout=PIPE, start_new_session=True)  # noqa: ASYNC220, S603
    except OSError as error:
        raise CeremonyLost(f"cannot be started: {error}") from error
    conversation = asyncio.ensure_future(asyncio.to_thread(_conversation, process, asked))
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(conversation)
    except TimeoutError as error:
        raise CeremonyLost(f"did not end within {seconds:g} s, and was killed") from error
    finally:
        if not conversation.done():
            # And whatever it has started: a kubeconfig may name a program to ask.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, SIGKILL)
        # Also where we are cancelled: the thread has nothing to wait for any more.
        await asyncio.gather(conversation, return_exceptions=True)


def _conversation(process: Popen[bytes], asked: bytes) -> bytes:
    # Both are pipes of ours.
    told, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    with process:
        # Of one that has ended without reading, its status tells.
        with suppress(BrokenPipeError):
            told.write(asked)
            told.close()
        answer = answers.read(LONGEST)
        if len(answer) == LONGEST:
            process.kill()
            raise CeremonyLost(f"answered {LONGEST} bytes or more, and was killed")
    if process.returncode:
        raise CeremonyLost(f"ended {_words(process.returncode)} before it was done: its log says why")
    return answer


def _words(status: int) -> str:
    return f"by signal {-status}" if status < 0 else f"with status {status}"
