"""What is told of CRLs, for Prometheus. Shell."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from ca.revocation.register import Register


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._revoked = Gauge("proa_ca_revoked_certificates", "Certificates that the CRLs list.", registry=registry)
        self._update = Gauge(
            "proa_ca_crl_next_update_timestamp_seconds",
            "When the first of the CRLs is valid no longer; 0 where there is none. Sidecars let nobody in after it.",
            registry=registry,
        )
        self._signed = Counter("proa_ca_crls_signed", "CRLs that were signed.", registry=registry)

    def show(self, register: Register) -> None:
        ends = (crl.next_update_utc for crl in register.crls)
        self._revoked.set(len(register.revoked))
        self._update.set(min((end.timestamp() for end in ends if end), default=0))

    def signed(self, count: int) -> None:
        self._signed.inc(count)

    def forget(self) -> None:
        self.show(Register())
