"""One connection to a runtime by NRI: bytes in, events and the bytes of answers out. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from node.cni import Owner
from node.nri import messages
from node.nri.frames import PLUGIN, REQUEST, RESPONSE, RUNTIME, Garbled, Incoming, Message, sent

OPENING: Final = sent(REQUEST, Message(RUNTIME, 1, messages.registration()))
"""What is sent first: the plugin registers. Streams that a client opens have odd numbers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """To be sent; there is nothing else to be done."""

    reply: bytes


@dataclass(frozen=True, slots=True)
class Joined:
    """From the answer on the runtime tells of every sandbox. Of those before it may have told nobody."""

    runtime: str
    reply: bytes


@dataclass(frozen=True, slots=True)
class Started:
    """A sandbox, which waits for `succeeded` or `refused` on *stream*, for less than *seconds*."""

    stream: int
    owner: Owner
    pid: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Stopped:
    owner: Owner
    reply: bytes


Event: TypeAlias = Answer | Joined | Started | Stopped


class Session:
    """From OPENING on."""

    def __init__(self) -> None:
        self._incoming = Incoming()
        self._configured: messages.Configure | None = None

    def events(self, received: bytes) -> Iterator[Event]:
        """What *received* means. Raises Garbled, also if the runtime does not take us."""
        for message in self._incoming.messages(received):
            if message.connection == PLUGIN:
                yield self._event(message.stream, messages.asked(message.payload))
            elif problem := messages.refusal(message.payload):
                raise Garbled(f"the runtime refused to register us, {problem}")

    def _event(self, stream: int, asked: messages.Asked) -> Event:
        match asked:
            case messages.Configure():
                self._configured = asked
                return Answer(_answered(stream, messages.subscription()))
            case messages.Other(known):
                return Answer(_answered(stream, messages.done() if known else messages.unknown()))
            case _ if self._configured is None:
                raise Garbled("the runtime asks before it has configured us")
            case messages.Synchronize(more=True):
                return Answer(_answered(stream, messages.parts(more=True)))
            case messages.Synchronize():
                return Joined(self._configured.runtime, _answered(stream, messages.parts(more=False)))
            case messages.Run(owner, pid):
                return Started(stream, owner, pid, self._configured.seconds)
            case messages.Stop(owner):
                return Stopped(owner, _answered(stream, messages.done()))


def succeeded(stream: int) -> bytes:
    """The answer that lets a sandbox start."""
    return _answered(stream, messages.done())


def refused(stream: int, why: str) -> bytes:
    """The answer that makes a sandbox's start fail; *why* is in the pod's Events."""
    return _answered(stream, messages.failed(why))


def _answered(stream: int, response: bytes) -> bytes:
    return sent(RESPONSE, Message(PLUGIN, stream, response))
