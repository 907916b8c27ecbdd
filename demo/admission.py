"""What the API server does with a new pod: ask the webhook, over TLS it verifies, and apply the patch. Shell.

The patch is applied by a library that knows nothing of Proa.
"""

import base64
import json
import ssl
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import uuid4

import aiohttp
import jsonpatch

from proa.errors import ProaError

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
"""Seconds: what the API server grants a webhook unless it is registered otherwise."""


@dataclass(eq=False)
class Denied(ProaError):
    """The webhook refused a pod."""

    code: ClassVar[str] = "denied"
    pod: str
    message: str

    def __str__(self) -> str:
        return f"the webhook denied pod {self.pod}: {self.message}"


@dataclass(eq=False)
class Unreachable(ProaError):
    """The webhook gave no answer that could be read."""

    code: ClassVar[str] = "webhook_unreachable"
    url: str
    reason: str

    def __str__(self) -> str:
        return f"the webhook at {self.url} did not answer: {self.reason}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the webhook is, what name its certificate must show, and the roots that must have issued it."""

    url: str
    server_name: str
    roots: str


async def admitted(webhook: Webhook, pod: dict[str, Any]) -> dict[str, Any]:
    """*pod* as it is stored after admission. Raises Denied or Unreachable."""
    try:
        response = await _reviewed(webhook, pod)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unreachable(webhook.url, str(error) or type(error).__name__) from error
    if not response["allowed"]:
        raise Denied(pod["metadata"]["name"], response["status"]["message"])
    patch = json.loads(base64.b64decode(response.get("patch", "W10=")))
    patched: dict[str, Any] = jsonpatch.apply_patch(pod, patch)
    return patched


async def _reviewed(webhook: Webhook, pod: dict[str, Any]) -> dict[str, Any]:
    tls = ssl.create_default_context(cadata=webhook.roots)
    async with (
        aiohttp.ClientSession(timeout=_TIMEOUT) as session,
        session.post(webhook.url, json=admission_review(pod), ssl=tls, server_hostname=webhook.server_name) as answer,
    ):
        answer.raise_for_status()
        response: dict[str, Any] = (await answer.json())["response"]
        return response


def admission_review(pod: dict[str, Any]) -> dict[str, Any]:
    """The AdmissionReview v1 that the API server sends for the creation of *pod*."""
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid4()),
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": pod["metadata"]["name"],
            "namespace": pod["metadata"]["namespace"],
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": pod,
            "oldObject": None,
            "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    }
