"""What is counted of CertificateSigningRequests, for Prometheus. Shell."""

from prometheus_client import CollectorRegistry, Counter


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._decided = Counter(
            "proa_ca_signing_requests",
            "Decisions about CertificateSigningRequests.",
            ["outcome", "reason"],
            registry=registry,
        )

    def decided(self, outcome: str, reason: str) -> None:
        self._decided.labels(outcome, reason).inc()
