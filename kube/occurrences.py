"""Events for people: what `kubectl describe` shows below an object. Pure.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal, TypeAlias

from kube.resources import EVENTS, Object, key_of
from proa.json import Json

Severity: TypeAlias = Literal["Normal", "Warning"]
REPORTER: Final = "proa.dev/proa"
_LONGEST_NOTE: Final = 1024
"""Bytes, by the API server's validation."""
_LONGEST_NAME: Final = 230
"""Characters of the object's own name in the Event's: both with a digest are at most 253."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """*reason* is one word for machines, in CamelCase; *message* is for people. *instance* names who saw it."""

    reason: str
    message: str
    severity: Severity
    instance: str


def event(about: Json, seen: Occurrence, now: datetime) -> Json:
    """The Event of *seen* about an object. The same occurrence has the same name: it is counted, not repeated.

    Raises Invalid if *about* has no name.
    """
    key, regarding = key_of(about), _reference(about)
    marks = (regarding.get("uid"), seen.reason, seen.message, seen.severity, seen.instance)
    digest = sha256("\0".join(map(str, marks)).encode()).hexdigest()[:16]
    stem = key.name[:_LONGEST_NAME].rstrip("-.")
    metadata: Json = {"name": f"{stem}.{digest}", "namespace": key.namespace or "default"}
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": metadata,
        "eventTime": _time(now),
        "reportingController": REPORTER,
        "reportingInstance": seen.instance[:128],
        "action": seen.reason,
        "reason": seen.reason,
        "regarding": regarding,
        "note": _note(seen.message),
        "type": seen.severity,
    }


def again(before: Json, now: datetime) -> Json:
    """The merge patch that counts one more of the Event *before*."""
    match before:
        case {"series": {"count": int(count)}}:
            times = count + 1
        case _:
            times = 2
    return {"series": {"count": times, "lastObservedTime": _time(now)}}


def _reference(about: Json) -> Object:
    fields = about if isinstance(about, dict) else {}
    metadata = fields.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    found = {name: fields.get(name) for name in ("apiVersion", "kind")}
    found |= {name: named.get(name) for name in ("name", "namespace", "uid", "resourceVersion")}
    return {name: value for name, value in found.items() if value}


def _note(message: str) -> str:
    whole = message.encode()
    return message if len(whole) <= _LONGEST_NOTE else whole[: _LONGEST_NOTE - 3].decode("utf-8", "ignore") + "…"


def _time(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
