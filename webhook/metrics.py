"""What the webhook counts and measures, on a registry of its own so that two of one process count apart. Shell."""

from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Metrics:
    """Labels have few values: rules' codes, errors' codes, HTTP statuses."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._answers = Counter(
            "proa_injection",
            "Admission requests by what was decided and by the rule or error that decided.",
            ["decision", "reason"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "proa_injection_duration_seconds",
            "Time from an admission request's body to the bytes of its answer.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._expiry = self._gauge("serving_certificate_expiry_timestamp_seconds", "When the one in force expires.")
        self._self_test = self._gauge("self_test", "Whether the registration's caBundle trusts this replica: 1 or 0.")
        self._service = self._gauge("service_reachable", "Whether a call through the Service was answered: 1 or 0.")

    def answered(self, decision: str, reason: str) -> None:
        self._answers.labels(decision, reason).inc()

    def took(self, seconds: float) -> None:
        self._duration.observe(seconds)

    def certified_until(self, expires: datetime) -> None:
        self._expiry.set(expires.timestamp())

    def tested(self, *, passed: bool) -> None:
        self._self_test.set(passed)

    def called_service(self, *, passed: bool) -> None:
        self._service.set(passed)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(f"proa_webhook_{name}", meaning, registry=self.registry)
