"""What is counted of the Secrets that are kept, for Prometheus. Shell."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """Citadel's name is a gauge here: a counter's would be given an ending that its dashboards do not ask for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._steps = Counter(
            "proa_ca_secrets", "Writes of service accounts' Secrets.", ["step", "reason"], registry=registry
        )
        self._failing = Gauge(
            "proa_ca_secrets_failing_namespaces", "Namespaces whose Secrets cannot be kept.", registry=registry
        )
        self._created = Gauge(
            "citadel_secret_controller_svc_acc_created_cert_count", "Secrets that were made.", registry=registry
        )

    def done(self, step: str, reason: str) -> None:
        self._steps.labels(step, reason).inc()
        if step == "Make":
            self._created.inc()

    def failing(self, namespaces: int) -> None:
        self._failing.set(namespaces)
