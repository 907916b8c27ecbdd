"""What the authority counts, for Prometheus. Shell: it holds the counters."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ca.certificates import validity
from ca.material import Material
from ca.phases import PHASES
from ca.renewal import EndsSoon

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 900.0)
"""To 15 minutes, after which kube-controller-manager removes an unanswered request."""


class Metrics:
    """On a registry of its own, so that two authorities of one process count apart."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "proa_ca_requests",
            "Decisions about PodCertificateRequests; one that waits is counted each time it is looked at.",
            ["signer", "outcome", "reason"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "proa_ca_issuance_seconds",
            "From when this replica saw a request to when the API server had its certificate.",
            ["signer"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._expiry = self._gauge(
            "proa_ca_expiry_timestamp_seconds", "End of a certificate's validity.", "certificate"
        )
        self._ends_soon = self._gauge("proa_ca_ends_soon", "1 where nobody renews what ends soon.", "certificate")
        self._valid = self._gauge("proa_ca_material_valid", "0 where the Secret does not fit and an older one is used.")
        self._pending = self._gauge("proa_ca_pending_requests", "Requests that wait for their answer.")
        self._leading = self._gauge("proa_ca_leader", "1 for the replica that answers first, publishes and renews.")
        self._blocked = self._gauge("proa_ca_renewal_blocked", "1 where the issuer is due and cannot be renewed.")

        self._rotation = self._gauge("proa_ca_rotation_phase", "1 for the phase of the root's rotation.", "phase")

    def decided(self, signer: str, outcome: str, reason: str) -> None:
        self._requests.labels(signer, outcome, reason).inc()

    def issued(self, signer: str, seconds: float) -> None:
        self._duration.labels(signer).observe(seconds)

    def material(self, material: Material) -> None:
        self._expiry.labels("issuer").set(_seconds(material.issuer.issuing.validity.not_after))
        self._expiry.labels("root").set(_seconds(validity(material.root).not_after))
        self._valid.set(1)

    def unfit(self) -> None:
        self._valid.set(0)

    def ends_soon(self, alarms: Iterable[EndsSoon]) -> None:
        self._ends_soon.clear()
        for alarm in alarms:
            self._ends_soon.labels(alarm.what).set(1)

    def pending(self, count: int) -> None:
        self._pending.set(count)

    def leading(self, *, leads: bool) -> None:
        self._leading.set(leads)

    def renewal_blocked(self, *, blocked: bool) -> None:
        self._blocked.set(blocked)

    def rotation(self, present: str) -> None:
        """Of the phase's name; "" from who does not lead."""
        for phase in PHASES:
            self._rotation.labels(phase).set(phase == present)

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(name, words, labels, registry=self.registry)


def _seconds(moment: datetime) -> float:
    return moment.timestamp()
