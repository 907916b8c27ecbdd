"""Which rules a connection meets in a pod, each with its reason, and where it goes. What `proa trace` shows. Pure.

The rules are those that `proa-init` or the node's agent puts into the pod, walked as the kernel walks them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from yaml.nodes import Node

from init.dialling import spelled_end, spelled_first
from init.fate import Captured, Direct, Dropped, Fate, First, Rejected
from init.nftables import lone_values, statement
from init.rules import ruleset
from init.walking import way
from installation.connections import Connection, seen
from installation.intercepted import Bare, Intercepted, awaited, intercepted
from proa.capture.interception import Interception
from proa.capture.settings import described
from proa.errors import Problems
from proa.json import Json
from proa.mesh import MeshConfiguration
from webhook.stream import injected
from webhook.templates import Template, rewritten, title

_SENT: Final = "it goes where it was sent"


@dataclass(frozen=True, slots=True)
class MetRule:
    """*rule* as `nft list table inet proa` shows it, *why* its comment there."""

    chain: str
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Passage:
    """*outcome* is `captured`, `direct`, `dropped` or `rejected`, *port* the sidecar's where it is captured."""

    title: str
    connection: str
    notes: tuple[str, ...]
    settings: dict[str, str]
    """Of the interception, those that are not as everywhere."""
    met: tuple[MetRule, ...]
    outcome: str
    port: int | None
    conclusion: str
    command: tuple[str, ...]
    """By which the kernel says the same, in the pod's network namespace; empty where there is no rule."""


def passage(pod: Json, asked: Connection, called: str) -> Passage:
    """Of a pod of a cluster or a file. Raises Refused and Invalid."""
    match intercepted(pod):
        case Bare(why):
            first = seen(asked, pod, Interception()).first
            return Passage(called, _connection(first), (), {}, (), "direct", None, f"{_SENT}: {why}", ())
        case Intercepted(wanted, said_by):
            found = seen(asked, pod, wanted)
            rules = ruleset(wanted)
            walked, lone = way(rules, found.first), lone_values(rules)
            return Passage(
                title=called,
                connection=_connection(found.first),
                notes=(f"the settings are those of {said_by}", *found.notes, *_unfinished(pod)),
                settings=_uncommon(wanted),
                met=tuple(MetRule(each.chain, statement(each.rule, lone), each.rule.why) for each in walked.met),
                outcome=type(walked.fate).__name__.lower(),
                port=walked.fate.port if isinstance(walked.fate, Captured) else None,
                conclusion=_conclusion(walked.fate, wanted),
                command=_command(wanted, found.first),
            )


def passages(stream: str | bytes, configuration: MeshConfiguration, asked: Connection) -> tuple[Passage, ...]:
    """Of every pod and pod template of *stream*, as it is once injected. Raises Refused with all problems at once."""
    problems = Problems()
    found: list[Passage] = []

    def attempted(template: Template) -> Node:
        inner = Problems()
        with inner.collected():
            found.append(passage(template.pod, asked, title(template.node)))
        problems.add(map(template.placed, inner.refusal("").problems))
        return template.node

    for document in injected(stream, configuration).documents:
        rewritten(document, attempted)
    problems.refuse("the input")
    return tuple(found)


def _unfinished(pod: Json) -> Iterator[str]:
    if awaited(pod):
        yield "proa-init has not ended well yet: until it has, the rules may not be in force"


def _uncommon(wanted: Interception) -> dict[str, str]:
    default = described(Interception())
    return {key: value for key, value in described(wanted).items() if value != default[key]}


def _command(wanted: Interception, first: First) -> tuple[str, ...]:
    settings = (f"--{name}={value}" for name, value in _uncommon(wanted).items())
    return "proa-init", f"--trace={spelled_first(first)}", *settings


def _connection(first: First) -> str:
    there = spelled_end(first.destination, first.port)
    if first.sender is None:
        return f"{first.protocol} from {first.source} to {there}, arriving by {first.interface}"
    who = f"user {first.sender.uid}, group {first.sender.gid}"
    return f"{first.protocol} from {first.source} to {there}, leaving by {first.interface}, of {who}"


def _conclusion(found: Fate, wanted: Interception) -> str:
    match found:
        case Captured(port) if port == wanted.dns_port:
            return f"the sidecar answers it, at port {port}"
        case Captured(port):
            return f"the sidecar takes it, at port {port}"
        case Dropped():
            return "it is dropped, and nobody is told"
        case Rejected():
            return "it is rejected: its sender is told that the port cannot be reached"
        case Direct():
            return f"{_SENT}, not through the sidecar"
