"""Has the kernel tell what becomes of one connection's first packet. Shell: as root, with nftables in force.

A connection that leaves is dialled here, as the user it is about; one that arrives has to be dialled by somebody else.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import contextmanager

from init.by_nft import Program, must
from init.ending import end_when_told
from init.failures import NotTraced, missing
from init.nftables import removal
from init.proving import dialling, failure
from init.tracing import MARKING, has_marked, marking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Final

    from init.fate import First

_TRIES: Final = 30
_SILENCE: Final = 0.3
"""Seconds after which nft has told all that it heard."""
_LONGEST: Final = 1.0
"""Seconds of a try: others may dial all the time."""
_ROOM: Final = 65_536


def monitored(first: First) -> str:
    """What `nft monitor trace` says of *first*. Raises KernelRefused."""
    end_when_told()
    nft = Program()
    must(nft.told(marking(first)))
    try:
        with _monitor() as reading:
            return _heard(first, reading)
    finally:
        nft.told(removal(MARKING))


def _heard(first: First, reading: int) -> str:
    """Until a packet was told of: nft does not say when it has begun to listen."""
    text = ""
    for _ in range(_TRIES):
        if first.sender:
            _dial(first)
        text += _told(reading, _SILENCE if first.sender else _LONGEST)
        if has_marked(text):
            return text
    raise NotTraced(f"no packet to {first.destination} port {first.port} met a rule in {_TRIES} tries")


def _dial(first: First) -> None:
    child, answers = dialling(first)
    try:
        failure(answers)
    finally:
        os.close(answers)
        os.kill(child, 9)
        os.waitpid(child, 0)


def _told(reading: int, patience: float) -> str:
    """All that comes until nothing comes for a while, if it does."""
    found, ends = bytearray(), time.monotonic() + _LONGEST
    while select.select([reading], [], [], patience)[0] and (part := os.read(reading, _ROOM)):
        found += part
        patience = _SILENCE
        if time.monotonic() > ends:
            break
    return found.decode(errors="replace")


@contextmanager
def _monitor() -> Generator[int]:
    """Raises ProgramMissing."""
    reading, writing = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, writing, 1)]
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        child = os.posix_spawnp("nft", ("nft", "monitor", "trace"), environment, file_actions=actions)
    except OSError as error:
        os.close(reading)
        raise missing("nft", error) from error
    finally:
        os.close(writing)
    try:
        yield reading
    finally:
        os.close(reading)
        os.kill(child, 9)
        os.waitpid(child, 0)
