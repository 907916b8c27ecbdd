"""What the Workload API counts, for Prometheus. Shell: it holds the counters."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """On the agent's *registry*."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "proa_node_workload_answers",
            "Messages of the Workload API; the outcome is `done`, or why there was none.",
            ["method", "outcome"],
            registry=registry,
        )
        self._svids = Counter(
            "proa_node_workload_svids",
            "SVIDs that the authority was asked for; the outcome is `done`, or why there was none.",
            ["outcome"],
            registry=registry,
        )
        self._open = Gauge(
            "proa_node_workload_open", "1 while pods can call the Workload API on this node.", registry=registry
        )

        self._connections = Gauge(
            "proa_node_workload_connections", "Connections of pods to the Workload API.", registry=registry
        )
        self._turned = Counter(
            "proa_node_workload_turned_away",
            "Connections that were refused, or ended for another pod's: more than a pod's share, or the node was full.",
            ["reason"],
            registry=registry,
        )

    def answered(self, method: str, outcome: str) -> None:
        self._answers.labels(method, outcome).inc()

    def issued(self, outcome: str) -> None:
        self._svids.labels(outcome).inc()

    def opened(self, *, is_open: bool) -> None:
        self._open.set(is_open)

    def connected(self, connections: int) -> None:
        self._connections.set(connections)

    def turned_away(self, reason: str) -> None:
        self._turned.labels(reason).inc()
