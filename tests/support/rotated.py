"""A cluster in the middle of anything: its Secrets, what is published, replicas that lag behind, pods with leaves.

Only the API server's store is a stand-in; what writes to it is the product.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

from ca.authority import CertificateAuthority
from ca.ceremony.messages import Looked
from ca.certificates import Chain
from ca.creation import create, renew
from ca.csr import stub_request
from ca.material import Material
from ca.phases import Record, Wish, name_of, record_of, wish_of, written
from ca.profile import IssuerNotValid, WorkloadLeaf
from ca.root_secret import root_certificates
from ca.stored import stored_material
from ca.trust import TRUST_BUNDLE_NAME, trust_bundle, trusted_roots
from kube.calls import Answer, Call
from kube.client import Client
from kube.resources import CLUSTER_TRUST_BUNDLES, SECRETS
from proa.errors import ProaError
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import Certificate, IssuerKey, MeshConfiguration
from support.ceremonies import ceremony
from support.etcd import Died, Etcd

DOMAIN = TrustDomain("cluster.local")
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
_CSR = stub_request(ec.generate_private_key(ec.SECP256R1()))
_LEAF = WorkloadLeaf(WorkloadIdentity(DOMAIN, "shop", "web"))


@dataclass
class Pod:
    """What the kubelet has written into its volume, both at once."""

    chain: Chain
    trusted: tuple[x509.Certificate, ...]


class _Stalled:
    """A wire that answers nothing while *meanwhile* runs."""

    def __init__(self, etcd: Etcd, call: int, meanwhile: Callable[[], None]) -> None:
        self._etcd, self._left, self._meanwhile = etcd, call, meanwhile
        self.address, self.lines = etcd.address, etcd.lines

    async def send(self, call: Call) -> Answer:
        self._left -= 1
        if self._left == 0:
            # In a thread, as it runs loops of its own.
            await asyncio.to_thread(self._meanwhile)
        return await self._etcd.send(call)


@dataclass
class Cluster:
    now: datetime = BEGIN
    life: timedelta = timedelta(hours=24)
    kind: IssuerKey = IssuerKey.ECDSA_P256
    etcd: Etcd = field(default_factory=Etcd)
    pods: list[Pod] = field(default_factory=list)
    _materials: list[tuple[datetime, Material]] = field(default_factory=list)
    _bundles: list[tuple[datetime, tuple[x509.Certificate, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        asyncio.run(create(self.client, DOMAIN, self.clock))
        self.publish()

    def clock(self) -> datetime:
        return self.now

    @property
    def client(self) -> Client:
        return Client(self.etcd)

    @property
    def secret(self) -> Any:
        return self.etcd.get(SECRETS, "proa-ca", "proa-system")

    @property
    def material(self) -> Material:
        return stored_material(self.secret)

    @property
    def record(self) -> Record:
        return record_of(self.secret)

    @property
    def phase(self) -> str:
        return name_of(self.record.phase)

    @property
    def asked(self) -> Wish | None:
        return wish_of(self.secret)

    @property
    def keys(self) -> tuple[x509.Certificate, ...]:
        return root_certificates(self.etcd.get(SECRETS, "proa-ca-root", "proa-system"))

    @property
    def published(self) -> tuple[x509.Certificate, ...]:
        return trusted_roots(self.etcd.get(CLUSTER_TRUST_BUNDLES, TRUST_BUNDLE_NAME))

    def passes(self, time: timedelta) -> None:
        self.now += time

    def wish(self, wish: Wish) -> None:
        self.annotate({"proa.dev/rotate": written(wish)})

    def annotate(self, annotations: dict[str, str]) -> None:
        metadata = self.secret["metadata"]
        noted = {**metadata, "annotations": {**metadata.get("annotations", {}), **annotations}}
        self.etcd.put({**self.secret, "metadata": noted})

    def publish(self, lag: timedelta = timedelta(0)) -> None:
        """The roots of the Secret as a leader saw it *lag* ago."""
        self._seen()
        self.etcd.put(trust_bundle(_as_of(self._materials, self.now - lag)))
        self._bundles.append((self.now, self.published))

    def look(self) -> None:
        """A leader's."""
        self._lived(self._rotated())

    def dies_before(self, write: int) -> bool:
        """A leader that dies when it would write for the time number *write*. Whether it lived."""
        self.etcd.lives, self.etcd.loses_answers = write, False
        return self._lived(self._rotated())

    def dies_after(self, write: int) -> bool:
        """As `dies_before`, when the API server has taken that write."""
        self.etcd.lives, self.etcd.loses_answers = write, True
        return self._lived(self._rotated())

    def trouble(self, statuses: list[int]) -> None:
        """A leader whose next calls get these answers."""
        self.etcd.troubles = list(statuses)
        self.look()
        self.etcd.troubles = []

    def configures(self, life: timedelta) -> None:
        """A configuration wakes the leader, who notes a longer life before anything else."""
        self.life = life
        self.look()

    def stalls(self, call: int, meanwhile: Callable[[], None]) -> None:
        """A leader that stands still before its call of that number, while *meanwhile* others lead."""
        client = Client(_Stalled(self.etcd, call, meanwhile))
        self._lived(ceremony(client, self.clock).rotate(self.mesh))

    def race(self, leaders: int) -> None:
        """As many at once as no election would let."""

        async def all_at_once() -> None:
            await asyncio.gather(*(self._rotated() for _ in range(leaders)))

        self._lived(all_at_once())

    def renew(self, write: int = -1) -> bool:
        """The intermediate below the root that issues; *write* as in `dies_before`."""
        self.etcd.lives, self.etcd.loses_answers = write, False
        return self._lived(renew(self.client, DOMAIN, self.clock))

    def deliver(self, index: int, lag: timedelta = timedelta(0), kubelets: timedelta = timedelta(0)) -> None:
        """A leaf for a pod, new or renewed, by a replica that is *lag* behind on a node that is *kubelets* behind."""
        material = _as_of(self._materials, self.now - lag)
        authority = CertificateAuthority(material.issuer, material.roots, self.clock, self.life)
        with suppress(IssuerNotValid):
            pod = Pod(authority.sign(_CSR, _LEAF), _as_of(self._bundles, self.now - kubelets))
            self.pods[index : index + 1] = [pod]

    def alive(self) -> list[Pod]:
        return [pod for pod in self.pods if pod.chain.not_before <= self.now <= pod.chain.not_after]

    def handshakes(self) -> None:
        """Every live pod with every live pod and with whoever reads what is published. Raises VerificationError."""
        for bundle in {*(pod.trusted for pod in self.alive()), self.published}:
            policy = PolicyBuilder().store(Store(list(bundle))).time(self.now)
            for pod in self.alive():
                policy.build_client_verifier().verify(pod.chain.leaf, list(pod.chain.intermediates))

    @property
    def mesh(self) -> MeshConfiguration:
        seconds = int(self.life.total_seconds())
        return MeshConfiguration(certificate=Certificate(lifetime_seconds=seconds, issuer_key=self.kind))

    async def _rotated(self) -> Looked:
        return await ceremony(self.client, self.clock).rotate(self.mesh)

    def _lived(self, work: Coroutine[Any, Any, Any]) -> bool:
        try:
            asyncio.run(work)
        except (Died, ProaError):
            return False
        finally:
            self.etcd.lives = -1
            self._seen()
        return True

    def _seen(self) -> None:
        if not self._materials or self._materials[-1][1] != self.material:
            self._materials.append((self.now, self.material))


def _as_of(history: list[Any], moment: datetime) -> Any:
    """The last of what was so by *moment*, or the first."""
    return next((value for since, value in reversed(history) if since <= moment), history[0][1])
