"""A cluster whose pods refuse what is revoked: as `support.rotated`, with a ConfigMap in which roots and CRLs stand."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
from cryptography import x509

from ca.authority import CertificateAuthority
from ca.certificates import pem
from ca.maps.plan import config_map
from ca.metrics import Metrics
from ca.profile import IssuerNotValid
from ca.renewal import Renew, renewal
from ca.reports import Reports
from ca.revocation.crl import Revoked, crls_of
from ca.revocation.listing import Listing, LiveCrls
from ca.revocation.metrics import Metrics as RevocationMetrics
from ca.revocation.register import Register, register_of
from ca.revocation.renewing import renew_covered
from kube.resources import NAMESPACES, SECRETS
from proa.errors import ProaError
from proa.mesh import MeshConfiguration, mesh_configuration
from support.ceremonies import issuing
from support.rotated import _CSR, _LEAF, Cluster, Pod, _as_of

MESH = mesh_configuration("authority: {roots: {kind: config-maps, revocation: crl}}")


class Refused(Exception):
    """A handshake that failed, and why."""


@dataclass
class Checking(Pod):
    """Its Envoy wants a CRL of each peer's issuer."""

    crls: tuple[x509.CertificateRevocationList, ...]


@dataclass
class Revoking(Cluster):
    live: LiveCrls = field(default_factory=LiveCrls)
    counted: Metrics = field(default_factory=Metrics)
    _texts: list[tuple[Any, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.metrics = RevocationMetrics(self.counted.registry)
        super().__post_init__()
        namespace = {"name": "shop", "labels": {"proa.dev/inject": "enabled"}}
        self.etcd.put({"apiVersion": "v1", "kind": NAMESPACES.kind, "metadata": namespace})
        self.tend()
        self.publish()

    @property
    def mesh(self) -> MeshConfiguration:
        return msgspec.structs.replace(MESH, certificate=super().mesh.certificate)

    @property
    def register(self) -> Register:
        return register_of(self.etcd.get(SECRETS, "proa-ca-revocation", "proa-system"))

    def tend(self, write: int = -1) -> bool:
        """A leader's look; *write* as in `dies_before`."""
        self.etcd.lives, self.etcd.loses_answers = write, False
        means = issuing(self.client, self.clock)
        listing = Listing(self.client, self.clock, Reports(self.client, self.clock), self.metrics, self.live, means)
        return self._lived(listing.look(self.mesh))

    def publish(self, lag: timedelta = timedelta(0)) -> None:
        super().publish(lag)
        if self.etcd.get(SECRETS, "proa-ca-revocation", "proa-system"):
            crls = self.register.pem
            data = {"root-cert.pem": pem(*self.material.roots), "ca-crl.pem": crls}
            self.etcd.put(config_map("shop", "proa-roots", data))
            self._texts.append((self.now, crls))

    def renew_if_due(self) -> None:
        if isinstance(renewal(self.now, self.material), Renew):
            with suppress(ProaError):
                asyncio.run(renew_covered(self.client, self.mesh, self.clock))
            self._seen()

    def deliver(self, index: int, lag: timedelta = timedelta(0), kubelets: timedelta = timedelta(0)) -> None:
        material = _as_of(self._materials, self.now - lag)
        authority = CertificateAuthority(material.issuer, material.roots, self.clock, self.life)
        with suppress(IssuerNotValid):
            chain, seen = authority.sign(_CSR, _LEAF), self.now - kubelets
            crls = crls_of(_as_of(self._texts, seen))
            self.pods[index : index + 1] = [Checking(chain, _as_of(self._bundles, seen), crls)]

    def receive(self) -> None:
        """Every kubelet brings what the ConfigMap says now."""
        for pod in self.pods:
            assert isinstance(pod, Checking)
            pod.trusted, pod.crls = self.published, crls_of(_as_of(self._texts, self.now))

    def revoke(self, pod: Pod) -> None:
        leaf = pod.chain.leaf
        revoked = Revoked(leaf.serial_number, self.now, leaf.not_valid_after_utc)
        from ca.revocation.storage import add  # noqa: PLC0415

        asyncio.run(add(self.client, revoked))

    def handshakes(self) -> None:
        """As BoringSSL does it with CRLs of leaves alone."""
        super().handshakes()
        for verifier in self.alive():
            assert isinstance(verifier, Checking)
            lists = {crl.issuer: crl for crl in verifier.crls if _valid(crl, self.now)}
            for peer in self.alive():
                crl = lists.get(peer.chain.leaf.issuer)
                if crl is None:
                    raise Refused("no CRL of its issuer that is valid")
                if crl.get_revoked_certificate_by_serial_number(peer.chain.serial):
                    raise Refused("revoked")


def _valid(crl: x509.CertificateRevocationList, now: Any) -> bool:
    return bool(crl.next_update_utc and crl.last_update_utc <= now <= crl.next_update_utc)
