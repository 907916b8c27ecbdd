"""The status of a PodCertificateRequest that carries its answer. Pure."""

from datetime import datetime
from typing import Final

from ca.certificates import Chain
from ca.request import Pending
from ca.verdict import Deny
from proa.json import Json

_API_VERSION: Final = "certificates.k8s.io/v1"
_LONGEST_MESSAGE: Final = 1024
"""Characters; the API server takes 32768 (metav1.Condition), which nobody reads."""


def issued(request: Pending, chain: Chain, now: datetime, jitter: float) -> Json:
    """*chain* as the answer to *request*; *jitter*, from 0 to 1, moves the renewal."""
    status: Json = {
        "conditions": [_condition("Issued", "Signed", f"serial number {chain.serial:x}", now)],
        "certificateChain": chain.pem,
        "notBefore": _time(chain.not_before),
        "beginRefreshAt": _time(begin_refresh_at(chain, jitter)),
        "notAfter": _time(chain.not_after),
    }
    return _answer(request, status)


def denied(request: Pending, denial: Deny, now: datetime) -> Json:
    message = denial.message[:_LONGEST_MESSAGE]
    return _answer(request, {"conditions": [_condition("Denied", denial.reason, message, now)]})


def begin_refresh_at(chain: Chain, jitter: float) -> datetime:
    """From 45 % of the chain's life (*jitter* 0) to 55 % (1).

    Pods that start together would renew together for ever after. Kubernetes wants ten minutes or more from either
    end; 45 % of the shortest life, an hour, is 27.
    """
    share = 0.45 + 0.1 * jitter
    return (chain.not_before + (chain.not_after - chain.not_before) * share).replace(microsecond=0)


def _answer(request: Pending, status: Json) -> Json:
    """With the request's uid, which makes the API server refuse it for another request of the same name."""
    metadata: Json = {"name": request.name, "namespace": request.namespace, "uid": request.uid}
    return {"apiVersion": _API_VERSION, "kind": "PodCertificateRequest", "metadata": metadata, "status": status}


def _condition(kind: str, reason: str, message: str, now: datetime) -> Json:
    fields = {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": _time(now)}
    return dict(fields)


def _time(moment: datetime) -> str:
    """Whole seconds, as JSON's times have no fractions in Kubernetes."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
