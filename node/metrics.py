"""What the agent counts, for Prometheus. Shell: it holds the counters."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from node.standing import NAMES

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_COMMANDS: Final = frozenset({"ADD", "DEL", "CHECK", "GC", "STATUS", "RunPodSandbox", "StopPodSandbox"})


class Metrics:
    """On a registry of its own, so that two agents of one process count apart."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "proa_node_requests",
            "What the runtime asked for, by the plugin or by NRI; the outcome is `done`, or the code of CNI's error.",
            ["command", "outcome"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "proa_node_request_seconds",
            "From a whole request to its answer.",
            ["command"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._pods = Gauge(
            "proa_node_pods",
            "Pods of this node that are to be intercepted, by how they stand.",
            ["standing"],
            registry=self.registry,
        )
        self._chained = Gauge(
            "proa_node_chained", "1 where the node's network configuration asks the plugin.", registry=self.registry
        )

        self._registered = Gauge(
            "proa_node_registered", "1 where the runtime tells of sandboxes by NRI.", registry=self.registry
        )

    def answered(self, command: str, outcome: str, seconds: float) -> None:
        known = command if command in _COMMANDS else "other"
        self._requests.labels(known, outcome).inc()
        self._seconds.labels(known).observe(seconds)

    def standings(self, counts: Mapping[str, int]) -> None:
        for name in NAMES:
            self._pods.labels(name).set(counts.get(name, 0))

    def chained(self, *, chained: bool) -> None:
        self._chained.set(chained)

    def registered(self, *, registered: bool) -> None:
        self._registered.set(registered)
