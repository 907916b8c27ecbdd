"""What can go wrong with the cluster. Pure."""

from dataclasses import dataclass
from typing import ClassVar

from proa.errors import ProaError


@dataclass(eq=False)
class PartFailed(ProaError):
    """A process of the node ended; *log* is the end of what it wrote."""

    code: ClassVar[str] = "part_failed"
    part: str
    log: str

    def __str__(self) -> str:
        return f"{self.part} ended. The end of its log:\n{self.log}"


@dataclass(eq=False)
class NotInTime(ProaError):
    code: ClassVar[str] = "not_in_time"
    awaited: str
    seconds: float
    log: str

    def __str__(self) -> str:
        return f"{self.awaited}: not within {self.seconds:g} s. The end of the log:\n{self.log}"


@dataclass(eq=False)
class CommandFailed(ProaError):
    code: ClassVar[str] = "command_failed"
    command: str
    status: int
    output: str

    def __str__(self) -> str:
        return f"{self.command}: status {self.status}\n{self.output}"


@dataclass(eq=False)
class Unsuitable(ProaError):
    """The machine lacks something; *remedy* says what to do."""

    code: ClassVar[str] = "unsuitable"
    lacking: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.lacking}; {self.remedy}"
