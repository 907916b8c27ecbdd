"""What is counted of the ConfigMaps with the roots, for Prometheus. Shell."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._steps = Counter("proa_ca_roots_maps", "Writes of the roots' ConfigMaps.", ["step"], registry=registry)
        self._failing = Gauge(
            "proa_ca_roots_maps_failing_namespaces",
            "Namespaces whose ConfigMap with the roots is not current.",
            registry=registry,
        )

    def done(self, step: str) -> None:
        self._steps.labels(step).inc()

    def failing(self, namespaces: int) -> None:
        self._failing.set(namespaces)
