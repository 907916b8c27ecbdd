"""What the demo set out to show, as values read from logs, counters and a capture; and whether it holds. Pure."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_SAMPLE: Final = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Captured:
    """What a capture saw. *cleartext* counts the frames that held the text looked for."""

    frames: int
    bytes: int
    cleartext: int


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the application saw it. *failure* is empty where it succeeded."""

    dialled: str
    source: str
    body: str
    failure: str


@dataclass(frozen=True, slots=True)
class Side:
    """A connection as one sidecar logged it. *certificate* is the SHA-256 fingerprint of the peer's."""

    original_destination: str
    tls: str
    peer: str
    certificate: str


@dataclass(frozen=True, slots=True)
class Journey:
    """A request and the connection that carried it, on both sides."""

    dialled: str
    client: Side
    server: Side


@dataclass(frozen=True, slots=True)
class Counter:
    """A number that had to grow."""

    pod: str
    name: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Rotation:
    """Requests made while the server's certificate was exchanged, and the certificates the client met, in order."""

    requests: int
    failures: tuple[str, ...]
    serial_before: str
    serial_after: str
    serials_seen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything that was seen."""

    identities: Mapping[str, str]
    without_injection: Captured
    with_injection: Captured
    requests: tuple[Request, ...]
    journeys: tuple[Journey, ...]
    counters: tuple[Counter, ...]
    rotation: Rotation


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about what was seen, and whether it is true."""

    sentence: str
    holds: bool


def claims(proof: Proof) -> tuple[Claim, ...]:
    """What the demo promises, each judged by *proof*."""
    client, server = proof.identities["client"], proof.identities["web"]
    sides = [side for journey in proof.journeys for side in (journey.client, journey.server)]
    rotation = proof.rotation
    return (
        Claim("every request was answered", bool(proof.requests) and not any(one.failure for one in proof.requests)),
        Claim(
            "the sidecars saw the destination that the application dialled",
            bool(sides)
            and all(
                side.original_destination == journey.dialled
                for journey in proof.journeys
                for side in (journey.client, journey.server)
            ),
        ),
        Claim("both sides spoke TLS 1.3", bool(sides) and all(side.tls == "TLSv1.3" for side in sides)),
        Claim(
            "each side proved its SPIFFE identity to the other",
            bool(sides) and all(one.client.peer == server and one.server.peer == client for one in proof.journeys),
        ),
        Claim(
            "every counter on the way grew",
            bool(proof.counters) and all(one.after > one.before for one in proof.counters),
        ),
        Claim("without Proa the body is on the wire in cleartext", proof.without_injection.cleartext > 0),
        Claim(
            "with Proa no frame on the wire holds it",
            proof.with_injection.cleartext == 0 and proof.with_injection.frames > 0,
        ),
        Claim("no request failed while the certificate was rotated", bool(rotation.requests) and not rotation.failures),
        Claim(
            "the client met the new certificate",
            rotation.serials_seen == (rotation.serial_before, rotation.serial_after)
            and rotation.serial_before != rotation.serial_after,
        ),
    )


def requests(lines: str) -> tuple[Request, ...]:
    """What the request program printed, a JSON object a line."""
    return tuple(Request(**json.loads(line)) for line in lines.splitlines())


def journey(request: Request, client_log: str, server_log: str) -> Journey | None:
    """The connection of *request* in the access logs of both sidecars; None while it is not in both yet."""
    out = _entry(client_log, lambda entry: entry["source"] == request.source)
    into = out and _entry(server_log, lambda entry: entry["source"] == out["upstream_local"])
    if not out or not into:
        return None
    return Journey(request.dialled, _side(out, "upstream"), _side(into, "downstream"))


def counter_sum(exposition: str, metric: str, labels: Mapping[str, str]) -> int:
    """The sum of *metric* over every series that has *labels*, from Prometheus' text format."""
    wanted = {f'{name}="{value}"' for name, value in labels.items()}
    return int(
        sum(
            float(value)
            for name, found, value in _SAMPLE.findall(exposition)
            if name == metric and all(label in found for label in wanted)
        )
    )


def seen_certificates(log: str, sources: Iterable[str]) -> tuple[str, ...]:
    """The upstream certificates that connections from *sources* met, by fingerprint, each once, in order."""
    wanted = set(sources)
    met = (entry["upstream_certificate"] for entry in _entries(log) if entry["source"] in wanted)
    return tuple(dict.fromkeys(met))


def _side(entry: Mapping[str, Any], peer: str) -> Side:
    return Side(
        original_destination=entry["original_destination"],
        tls=entry[f"{peer}_tls"] or "none",
        peer=entry[f"{peer}_peer"] or "nobody",
        certificate=entry[f"{peer}_certificate"] or "none",
    )


def _entry(log: str, wanted: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any] | None:
    return next((entry for entry in _entries(log) if wanted(entry)), None)


def _entries(log: str) -> Iterator[Mapping[str, Any]]:
    """The access log's lines among all that a sidecar printed; the last may be half written."""
    for line in log.splitlines():
        if line.startswith("{") and line.endswith("}"):
            yield json.loads(line)
