"""Whether the API server could call this webhook: what to call, as whom, trusting whom, and what must come back. Pure.

The pod that is sent stands in Proa's own namespace: the registration sends no such pod, so that the answer is known
beforehand whatever the configuration is, and no such answer is ever counted for a user's pod.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import msgspec
from cryptography.x509 import load_pem_x509_certificates

from proa import names
from proa.errors import Invalid, ProaError, shown
from webhook.decoding import decoded
from webhook.registration import INJECT_PATH
from webhook.trust import ClientConfig, Registration

_POD: Final = "proa-self-test"
_EXPECTED: Final = {"decision": "left", "reason": "own_namespace"}


@dataclass(eq=False)
class Uncallable(ProaError):
    """The API server could not call this webhook as its registration says."""

    code: ClassVar[str] = "webhook_uncallable"
    registration: str
    reason: str

    def __str__(self) -> str:
        return f"the API server cannot call this webhook by the registration {self.registration}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Target:
    """How the API server calls an entry: *host* and *port* are dialled, *server_name* must stand in the certificate,
    which *roots* (PEM) must have issued.
    """

    host: str
    port: int
    server_name: str
    path: str
    roots: str


def targets(registration: Registration) -> tuple[Target, ...]:
    """The different ways in which the entries of *registration* are called. Raises Uncallable where one cannot be."""
    name = registration.metadata.name
    if not registration.webhooks:
        raise Uncallable(name, "it has no entries")
    bare = sum(not entry.client_config.ca_bundle for entry in registration.webhooks)
    if bare:
        raise Uncallable(name, f"{bare} of its {len(registration.webhooks)} entries have no caBundle")
    try:
        found = {_target(entry.client_config) for entry in registration.webhooks}
    except Invalid as problem:
        raise Uncallable(name, str(problem)) from problem
    return tuple(sorted(found, key=lambda target: (target.server_name, target.port, target.roots)))


def _target(client: ClientConfig) -> Target:
    """With the path that any webhook answers: an entry's own path says how a pod came, not by whom it is answered."""
    roots = _pem(client.ca_bundle)
    if client.service is not None:
        # The name that the API server asks for: the longer forms of a Service's name are not tried.
        host = f"{client.service.name}.{client.service.namespace}.svc"
        return Target(host, client.service.port, host, INJECT_PATH, roots)
    address = urlsplit(client.url or "")
    if not address.hostname:
        raise Invalid("clientConfig", shown(client.url), "a service or a url")
    return Target(address.hostname, address.port or 443, address.hostname, INJECT_PATH, roots)


def _pem(bundle: bytes) -> str:
    try:
        load_pem_x509_certificates(bundle)
        return bundle.decode("ascii")
    except ValueError as error:
        raise Invalid("caBundle", "no certificate that can be read", "PEM certificates") from error


def question(uid: str) -> bytes:
    """The AdmissionReview that is sent."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _POD, "namespace": names.SYSTEM_NAMESPACE},
        "spec": {"containers": [{"name": "app", "image": _POD}]},
    }
    request = {
        "uid": uid,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": "CREATE",
        "namespace": names.SYSTEM_NAMESPACE,
        "dryRun": True,
        "object": pod,
    }
    return msgspec.json.encode({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    uid: str
    allowed: bool
    audit_annotations: dict[str, str]


class _Review(msgspec.Struct, frozen=True):
    response: _Answer


def check_answer(uid: str, status: int, body: bytes) -> None:
    """Raises Invalid unless *body* answers the question of *uid* as a webhook of Proa does."""
    if status != 200:
        raise Invalid("the answer's status", str(status), "200")
    answer = decoded(body, _Review, "the answer").response
    expected = _Answer(uid=uid, allowed=True, audit_annotations=_EXPECTED)
    if answer != expected:
        raise Invalid("the answer", shown(_plain(answer), 200), str(_plain(expected)))


def _plain(answer: _Answer) -> Any:
    return msgspec.to_builtins(answer)
