"""Workloads by the hundred that prove themselves to each other by real TLS, and kubelets that serve them.

What a workload holds is written at once, as a pod's volume is. OpenSSL makes each handshake, both sides in one process
and without a socket between.
"""

import random
import ssl
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca.csr import stub_request
from ca.trust import TRUST_BUNDLE_NAME, published_roots
from support.door import REQUESTS, Requests

_BUNDLE: Final = f"/apis/certificates.k8s.io/v1/clustertrustbundles/{TRUST_BUNDLE_NAME}"
_ROUNDS: Final = 4
"""Turns that a TLS 1.3 handshake takes at most, each side one after the other."""


@dataclass(frozen=True)
class Credential:
    """Key and chain, and the root *generation* they came from."""

    key: bytes
    chain: str
    generation: int


@dataclass
class Workload:
    """One pod of an account of its own. *server* and *client* are made of what it holds now."""

    name: str
    place: Path
    credential: Credential | None = None
    roots: str = ""
    server: Any = None
    client: Any = None

    @property
    def identity(self) -> str:
        return f"spiffe://cluster.local/ns/shop/sa/{self.name}"

    def hold(self, credential: Credential, roots: str) -> None:
        self.credential, self.roots = credential, roots
        self.place.write_bytes(credential.key + credential.chain.encode())
        self.server, self.client = (
            _context(side, self.place, roots) for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
        )


def _context(side: int, credential: Path, roots: str) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.check_hostname, context.verify_mode = False, ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(credential)
    context.load_verify_locations(cadata=roots)
    return context


def handshake(client: Workload, server: Workload) -> None:
    """Mutual, until both sides are done. Raises ssl.SSLError, and ValueError where a peer is somebody else."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = client.client.wrap_bio(to_client, to_server)
    called = server.server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [caller, called]
    for _ in range(_ROUNDS):
        waiting = [side for side in waiting if not _done(side)]
    if waiting:
        raise ssl.SSLError("a handshake that does not end")
    for side, peer in ((caller, server), (called, client)):
        if (found := side.getpeercert()["subjectAltName"]) != (("URI", peer.identity),):
            raise ValueError(f"{peer.identity} is {found}")


def _done(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


@dataclass
class Fleet:
    """*count* workloads. *handshakes* are those that were made, by the generations of both leaves, *failures* what went
    wrong with others."""

    server: Requests
    place: Path
    count: int
    handshakes: Counter[tuple[int, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    workloads: list[Workload] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - who meets whom
    _asked: int = 0

    async def begin(self) -> None:
        """Pods and their accounts."""
        for number in range(self.count):
            name = f"web-{number}"
            await self.server.put(f"/api/v1/namespaces/shop/serviceaccounts/{name}")
            spec = {"serviceAccountName": name, "nodeName": f"node-{number % 5}"}
            await self.server.put(f"/api/v1/namespaces/shop/pods/{name}", spec=spec)
            self.workloads.append(Workload(name, self.place / name))

    @property
    def published(self) -> str:
        """The roots, as a kubelet mounts them."""
        return published_roots(self.server.found(_BUNDLE))

    async def renew(self, generation: int, until: Callable[[Callable[[], Any]], Awaitable[None]], group: int) -> None:
        """Everybody, in no order, *group* at a time; who is served goes on with others who are not yet."""
        order = self.chance.sample(self.workloads, self.count)
        for start in range(0, self.count, group):
            asked = [(each, *await self._request(each)) for each in order[start : start + group]]
            await until(lambda some=asked: all(self.server.answer_to(name) for _, name, _ in some))
            for each, name, key in asked:
                chain = self.server.answer_to(name)["certificateChain"]
                each.hold(Credential(key, chain, generation), self.published)
                self.meet(each)

    async def _request(self, workload: Workload) -> tuple[str, bytes]:
        """As the kubelet asks: with a new key. Its request's name, and the key."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._asked += 1
        name, pod = f"request-{self._asked}", workload.name
        number = int(pod.partition("-")[2])
        spec = {
            "signerName": "proa.dev/workload",
            "podName": pod,
            "podUID": f"uid-of-{pod}",
            "serviceAccountName": pod,
            "serviceAccountUID": f"uid-of-{pod}",
            "nodeName": f"node-{number % 5}",
            "nodeUID": "uid-of-node",
            "maxExpirationSeconds": 86400,
            "stubPKCS10Request": b64encode(stub_request(key)).decode(),
        }
        await self.server.put(f"{REQUESTS}/{name}", spec=spec)
        return name, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def learn(self) -> None:
        """Each node's next turn: pods' roots become what is published, one pod after the other, while all go on."""
        for each in self.chance.sample(self.workloads, self.count):
            assert each.credential is not None
            each.hold(each.credential, self.published)
            self.meet(each)

    def meet(self, workload: Workload) -> None:
        """*workload* calls one of the others and is called by one, whatever those hold."""
        ready = [each for each in self.chance.sample(self.workloads, 4) if each.credential and each is not workload]
        if len(ready) >= 2:
            self._try(workload, ready[0])
            self._try(ready[1], workload)

    def _try(self, client: Workload, server: Workload) -> None:
        assert client.credential is not None
        assert server.credential is not None
        try:
            handshake(client, server)
        except (ssl.SSLError, ValueError) as error:
            self.failures.append(f"{client.name} to {server.name}: {error}")
        else:
            self.handshakes[client.credential.generation, server.credential.generation] += 1
