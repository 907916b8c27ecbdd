"""What this door counts, for Prometheus: by names of our own, and by those that Citadel's dashboards know. Shell."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ca.istio.verdict import Code

_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIGN_ERRORS: Final = {
    "NoIssuer": "CA_NOT_READY",
    "RequestRejected": "CSR_ERROR",
    "LifetimeRefused": "TTL_ERROR",
    "NotIssued": "CERT_GEN_ERROR",
}


class Metrics:
    """Citadel's are gauges here: a counter's name would be given an ending that those dashboards do not ask for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Counter(
            "proa_ca_istio_requests",
            "Decisions about requests by Istio's protocol.",
            ["code", "reason"],
            registry=registry,
        )
        self._duration = Histogram(
            "proa_ca_istio_issuance_seconds",
            "From a request's last byte to its answer.",
            ["caller"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._withheld = Counter(
            "proa_ca_istio_refusals_not_logged", "Refusals beyond what the log takes of them.", registry=registry
        )
        self._tokens = Counter("proa_ca_jwt_svids", "JWT-SVIDs that were signed.", registry=registry)
        self._asked = Gauge("citadel_server_csr_count", "Requests.", registry=registry)
        self._issued = Gauge("citadel_server_success_cert_issuance_count", "Certificates.", registry=registry)
        self._strangers = Gauge(
            "citadel_server_authentication_failure_count", "Callers nobody knows.", registry=registry
        )
        self._sign_errors = Gauge(
            "citadel_server_csr_sign_err_count", "Requests that were not signed.", ["error"], registry=registry
        )

    def asked(self) -> None:
        self._asked.inc()

    def refused(self, code: Code, reason: str) -> None:
        self._decisions.labels(code.value, reason).inc()
        if code is Code.UNAUTHENTICATED:
            self._strangers.inc()
        elif error := _SIGN_ERRORS.get(reason):
            self._sign_errors.labels(error).inc()

    def withheld(self) -> None:
        self._withheld.inc()

    def token(self) -> None:
        self._tokens.inc()

    def issued(self, caller: str, seconds: float) -> None:
        self._decisions.labels("OK", "Signed").inc()
        self._issued.inc()
        self._duration.labels(caller).observe(seconds)
