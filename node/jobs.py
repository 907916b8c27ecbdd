"""What is to be done in a pod's network namespace and how it went, as messages between two processes. Pure."""

from __future__ import annotations

import json

from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal, TypeAlias

Action: TypeAlias = "Literal['apply', 'verify', 'repair']"
"""`repair`: apply where no rule of ours is, else verify."""
How: TypeAlias = "Literal['applied', 'verified', 'differs', 'refused', 'failed']"
WAITING: Final = 8
"""Processes that wait for a job, and so jobs at once: most of a job is waiting for the kernel."""
LONGEST: Final = 131_072
"""Bytes of a message: what a socket of packets holds at least."""
_LONGEST_TEXT: Final = 4_000


class Job(Value):
    """*annotation* is the pod's, as it stands there."""

    number: int
    action: Action
    annotation: str


class Outcome(Value):
    """`refused` is the annotation, `failed` the kernel; *text* says why, or what differs."""

    number: int
    how: How
    text: str = ""


def job_message(job: Job) -> bytes:
    return json.dumps([job.number, job.action, job.annotation], ensure_ascii=False).encode()


def job(message: bytes) -> Job:
    return Job(*json.loads(message))


def outcome_message(outcome: Outcome) -> bytes:
    """Its text can be written as UTF-8 then: what it quotes need not have been."""
    text = outcome.text.encode(errors="backslashreplace").decode()[:_LONGEST_TEXT]
    return json.dumps([outcome.number, outcome.how, text]).encode()


def outcome(message: bytes) -> Outcome:
    return Outcome(*json.loads(message))
