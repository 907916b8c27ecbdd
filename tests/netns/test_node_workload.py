"""SPIFFE's Workload API by the real agent and the real authority's door: processes in control groups are the pods."""

import asyncio
import json
import shlex
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import aiohttp
import jwt
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from ca.authority import new_intermediate, new_root, self_signed_authority
from ca.certificates import pem
from ca.csr import stub_request
from ca.istio.door import IstioDoor
from ca.jwt.keys import SigningKey, key_set
from ca.jwt.svid import jwt_svid
from ca.material import Issuer, Material
from ca.profile import WorkloadLeaf
from ca.randomness import new_key
from ca.stored import material_secret
from ca.svid_bundle import spiffe_bundle
from kube.client import connected
from launcher import builds
from node.workload.shares import BOUNDS
from proa.clock import system_clock
from proa.identity import TrustDomain, parsed_identity
from support import istio
from support.nodes import NODE, PATIENCE, Node, control_group
from support.protocol import sources
from support.spaces import made_namespace

pytestmark = [pytest.mark.netns, pytest.mark.asyncio(loop_scope="module")]

CALLER = Path(__file__).parents[1] / "support" / "workload_caller.py"
DOMAIN = "spiffe://cluster.local"
BESIDE = ("spiffe://former.local", "spiffe://other.example")
ISSUER = "/api/v1/namespaces/proa-system/secrets/proa-ca"
OTHER = TrustDomain("other.example")
THEIRS, THEIR_KEY = self_signed_authority(OTHER, system_clock), SigningKey(system_clock(), new_key())
BUNDLE = spiffe_bundle(
    tuple(x509.load_pem_x509_certificates(THEIRS.trust_bundle.encode())),
    cast("Any", key_set((THEIR_KEY,)))["keys"],
)
OPEN = {
    "trustDomainAliases": ["former.local"],
    "federation": {"kind": "bundles", "trustDomains": {OTHER.name: json.dumps(BUNDLE)}},
    "authority": {
        "istio": {"kind": "grpc", "trustedNodeAccounts": ["proa-node/proa-node"]},
        "workloadApi": {
            "kind": "node-agent",
            "tokens": {"kind": "jwt-svids", "issuer": "https://oidc.example.org/mesh"},
        },
        "roots": {"kind": "config-maps"},
    },
    "interception": {"programmedBy": "node"},
}


class Pods:
    """The node, whose agent answers at *socket*; *roots* is the file that its kubelet keeps."""

    def __init__(self, directory: Path, cluster: istio.Cluster, node: Node, door: IstioDoor) -> None:
        self.door = door
        self.cluster, self.node, self._program = cluster, node, directory / CALLER.name
        self.socket, self.roots = directory / "pods" / "workload.sock", directory / "authority" / "trust-bundle.pem"
        for name, text in {**sources("workload"), CALLER.name: CALLER.read_text()}.items():
            (directory / name).write_text(text, encoding="utf-8")

    async def put(self, name: str, uid: str, account: str = "web") -> None:
        await self.cluster.put(f"/api/v1/namespaces/shop/serviceaccounts/{account}")
        spec = {"serviceAccountName": account, "nodeName": NODE}
        await self.cluster.put(f"/api/v1/namespaces/shop/pods/{name}", metadata={"uid": uid}, spec=spec)

    @contextmanager
    def process(self, does: str, group: Path | None = None, *more: str) -> Iterator["Process"]:
        """One that *does* so in the control *group*, or in none of a pod's."""
        with started(group, sys.executable, str(self._program), does, str(self.socket), *more) as running:
            yield running

    @contextmanager
    def application(self, does: str, group: Path | None, *more: str) -> Iterator["Process"]:
        """One that does so by SPIFFE's own library for Go (tests/cluster/spiffe)."""
        with started(group, str(builds.built(builds.SPIFFE)), does, str(self.socket), *more) as running:
            yield running

    async def said(self, does: str, group: Path | None = None, *more: str) -> Any:
        """The first line of one that *does* so."""
        with self.process(does, group, *more) as running:
            return await running.line()


@contextmanager
def started(group: Path | None, *command: str) -> Iterator["Process"]:
    """*command* as a process in the control *group*, or in none of a pod's."""
    enter = f"echo $$ > {group} && " if group else ""
    shell = ["sh", "-c", f"{enter}exec {shlex.join(command)}"]
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield Process(running)
        finally:
            running.kill()


class Process:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    async def answer(self, line: str = "") -> Any:
        """To a *line*."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return await self.line()

    async def line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(await asyncio.to_thread(self._process.stdout.readline))


@asynccontextmanager
async def made_pods(directory: Path, program: Path) -> AsyncIterator[Pods]:
    async with AsyncExitStack() as stack:
        cluster, space = istio.Cluster(), stack.enter_context(made_namespace())
        await cluster.start()
        stack.push_async_callback(cluster.stop)
        await cluster.put(istio.CONFIGURATION, data={"mesh.yaml": json.dumps(OPEN)})
        await cluster.pod("proa-node-x", "proa-node", namespace="proa-node", node=NODE)
        client = await stack.enter_async_context(connected(cluster.kubeconfig(directory)))
        running = await stack.enter_async_context(istio.open_door(client))
        await istio.opened(running)
        pods = Pods(directory, cluster, Node(directory, space, cluster, program), running.door)
        pods.roots.parent.mkdir()
        pods.roots.write_bytes(running.roots)
        token = pods.roots.with_name("token")
        token.write_text(cluster.token("proa-node-x", "proa-node", "proa-node", node=NODE))
        await pods.node.start(
            WORKLOAD_SOCKET=str(pods.socket),
            AUTHORITY_ADDRESS=f"127.0.0.1:{running.door.bound[0]}",
            TOKEN_FILE=str(token),
            ROOTS_FILE=str(pods.roots),
        )
        stack.push_async_callback(pods.node.stop)
        await pods.node.awaited(lambda: is_open(pods))
        yield pods


async def is_open(pods: Pods) -> bool:
    return pods.socket.exists()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pods(tmp_path_factory: pytest.TempPathFactory, program: Path) -> AsyncIterator[Pods]:
    async with made_pods(tmp_path_factory.mktemp("workload"), program) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def web(pods: Pods) -> AsyncIterator[Path]:
    """The control group of a pod of the service account `web`, of which another test's knows nothing."""
    uid = str(uuid4())
    await pods.put(f"web-{uid}", uid)
    with control_group(uid) as group:
        yield group


async def known(pods: Pods, group: Path) -> Any:
    """What a process in *group* is answered once the pod is known to the agent and the authority."""
    async with asyncio.timeout(PATIENCE):
        while "code" in (answer := await pods.said("svids", group)):
            assert answer["code"] == "UNAVAILABLE", answer
    return answer


async def test_a_process_of_a_pod_is_given_its_own_identity_with_a_key_and_roots_that_verify_it(
    pods: Pods, web: Path
) -> None:
    answer = await known(pods, web)
    assert answer["id"] == f"{DOMAIN}/ns/shop/sa/web"
    leaf, *above = certificates(answer["x509_svid"])
    assert istio.uris(leaf) == [answer["id"]]
    assert load_der_private_key(bytes.fromhex(answer["x509_svid_key"]), None).public_key() == leaf.public_key()
    roots = certificates(answer["bundle"])
    assert PolicyBuilder().store(Store(roots)).build_client_verifier().verify(leaf, above).chain
    told = (await pods.said("bundles", web))["bundles"]
    assert told.keys() == {DOMAIN, *BESIDE}
    assert told[DOMAIN] == told["spiffe://former.local"] == answer["bundle"]
    assert answer["federated"] == {domain: told[domain] for domain in BESIDE}


def certificates(der: str) -> list[x509.Certificate]:
    """Those that stand one after the other."""
    rest, found = bytes.fromhex(der), list[x509.Certificate]()
    while rest:
        length = 4 + int.from_bytes(rest[2:4], "big")
        found.append(x509.load_der_x509_certificate(rest[:length]))
        rest = rest[length:]
    return found


async def test_spiffes_own_library_takes_it(pods: Pods, web: Path) -> None:
    await known(pods, web)
    assert await pods.said("library", web) == {
        "id": f"{DOMAIN}/ns/shop/sa/web",
        "chain": 2,
        "roots": trusted(1),
    }


async def test_processes_of_one_pod_share_a_certificate_and_pods_of_one_account_do_not(pods: Pods, web: Path) -> None:
    first = await known(pods, web)
    assert await known(pods, web) == first
    uid = str(uuid4())
    await pods.put("web-2", uid)
    with control_group(uid) as group:
        other = await known(pods, group)
    assert other["id"] == first["id"]
    assert other["x509_svid_key"] != first["x509_svid_key"]


async def test_a_process_in_no_pod_a_call_without_the_header_and_a_pod_that_nobody_knows_are_refused(
    pods: Pods, web: Path
) -> None:
    await known(pods, web)
    assert (await pods.said("svids"))["code"] == "PERMISSION_DENIED"
    assert (await pods.said("bundles"))["code"] == "PERMISSION_DENIED"
    assert (await pods.said("bare", web))["code"] == "INVALID_ARGUMENT"
    with control_group(str(uuid4())) as group:
        assert (await pods.said("svids", group))["code"] == "UNAVAILABLE"
    _, metrics = await pods.node.asked("metrics")
    assert 'proa_node_workload_answers_total{method="FetchX509SVID",outcome="NotAPod"} 1.0' in metrics


async def test_who_follows_is_told_of_other_roots_with_the_same_certificate(pods: Pods, web: Path) -> None:
    await known(pods, web)
    with pods.process("svids", web) as following, pods.process("bundles", web) as bundles:
        before, _, roots = await following.line(), await bundles.line(), pods.roots.read_bytes()
        pods.roots.write_bytes(roots + another_root())
        after, told = await following.line(), await bundles.line()
        pods.roots.write_bytes(roots)
        assert await following.line() == before
    assert after["x509_svid"] == before["x509_svid"]
    assert len(certificates(after["bundle"])) == 2
    assert told["bundles"][DOMAIN] == after["bundle"]


def trusted(own: int) -> dict[str, int]:
    """How many roots of each trust domain, the *own* ones by each of its names."""
    return {"cluster.local": own, "former.local": own, OTHER.name: 1}


def another_root() -> bytes:
    return pem(next_root().issuing.certificate).encode()


def next_root() -> Issuer:
    return new_root(TrustDomain("cluster.local"), system_clock())


async def test_a_connection_ends_with_the_process_that_opened_it_whoever_else_holds_it(pods: Pods, web: Path) -> None:
    await known(pods, web)
    assert await pods.said("handed-on", web) == {"left": 0}


async def test_what_a_pod_has_it_has_while_the_authority_is_away(pods: Pods, web: Path) -> None:
    first = await known(pods, web)
    pods.cluster.refusing = (503, "ServiceUnavailable", {})
    try:
        assert await pods.said("svids", web) == first
    finally:
        pods.cluster.refusing = None


async def test_the_agent_is_ready_and_open_and_its_other_socket_is_roots_alone(pods: Pods) -> None:
    _, metrics = await pods.node.asked("metrics")
    assert "proa_node_workload_open 1.0" in metrics
    assert await pods.node.is_ready()
    assert pods.socket.stat().st_mode & 0o777 == 0o666
    inner = pods.node.socket.with_name("workload")
    assert inner.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in inner.iterdir()] == ["server"]


async def test_a_pod_that_opens_too_many_connections_keeps_none_from_the_others(pods: Pods, web: Path) -> None:
    await known(pods, web)
    with pods.process("crowd", web) as crowd:
        assert await crowd.line() == {"open": BOUNDS.pod}
        uid = str(uuid4())
        await pods.put("modest", uid)
        with control_group(uid) as group:
            await known(pods, group)


async def test_pods_that_fill_the_node_make_room_for_another_and_are_told_so(pods: Pods, web: Path) -> None:
    await known(pods, web)
    with ExitStack() as stack:
        groups = [stack.enter_context(control_group(str(uuid4()))) for _ in range(BOUNDS.node // BOUNDS.pod)]
        crowds = stack.enter_context(pods.process("crowds", None, str(BOUNDS.pod), *map(str, groups)))
        await crowds.line()
        await pods.node.awaited(lambda: counts(pods, "connections", BOUNDS.node))
        assert (await pods.said("svids", web))["id"] == f"{DOMAIN}/ns/shop/sa/web"
        assert await counts(pods, 'turned_away_total{reason="NodeConnections"}', 1)
        answers = [await heard(pods, group) for group in groups[:3]]
    refused = [each["details"] for each in answers if each["code"] == "RESOURCE_EXHAUSTED"]
    # One of them may be the pod that made room.
    assert len(refused) >= 2
    assert set(refused) == {"too many connections of this pod"}


async def heard(pods: Pods, group: Path) -> Any:
    """What the agent answers a process in *group* of a pod that it does not know: who is turned away has but a second
    to ask why.
    """
    async with asyncio.timeout(PATIENCE):
        while (answer := await pods.said("svids", group))["code"] == "UNAVAILABLE":
            if "not known yet" in answer["details"]:
                break
    return answer


async def counts(pods: Pods, name: str, value: int) -> bool:
    _, metrics = await pods.node.asked("metrics")
    return f"proa_node_workload_{name} {value:.1f}" in metrics


async def test_a_process_is_given_tokens_of_its_own_that_the_api_and_anybody_with_its_keys_takes(
    pods: Pods, web: Path
) -> None:
    await known(pods, web)
    answer = await pods.said("tokens", web, "", "reports", "sales")
    identity = f"{DOMAIN}/ns/shop/sa/web"
    assert (answer["id"], answer["validated"], answer["aud"]) == (identity, identity, ["reports", "sales"])
    keys = jwt.PyJWKSet.from_dict(answer["bundles"][DOMAIN])
    assert [each["use"] for each in answer["bundles"][DOMAIN]["keys"]] == ["jwt-svid"]
    claims = jwt.decode(answer["svid"], keys.keys[0].key, algorithms=["ES256"], audience="sales")
    assert claims["exp"] - claims["iat"] == 300
    assert (await pods.said("tokens", web, f"{DOMAIN}/ns/shop/sa/db", "reports"))["code"] == "PERMISSION_DENIED"
    assert (await pods.said("tokens", web, identity, ""))["code"] == "INVALID_ARGUMENT"
    assert (await pods.said("tokens", None, "", "reports"))["code"] == "PERMISSION_DENIED"


async def test_spiffes_own_library_takes_a_token(pods: Pods, web: Path) -> None:
    await known(pods, web)
    identity = f"{DOMAIN}/ns/shop/sa/web"
    expected = {"id": identity, "audience": ["reports"], "checked": identity, "keys": 1}
    assert await pods.said("tokens-by-library", web) == expected


async def test_who_knows_no_spiffe_finds_the_keys_by_open_id_connects_discovery(pods: Pods, web: Path) -> None:
    await known(pods, web)
    token = (await pods.said("tokens", web, "", "cloud"))["svid"]
    issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    trusting = ssl.create_default_context(cadata=pods.roots.read_text())
    trusting.check_hostname = False
    async with aiohttp.ClientSession(f"https://127.0.0.1:{pods.door.discovery}") as session:

        async def read(path: str) -> Any:
            async with session.get(path, ssl=trusting) as got:
                return await got.json()

        found = await read("/mesh/.well-known/openid-configuration")
        assert (found["issuer"], found["jwks_uri"]) == (issuer, f"{issuer}/keys")
        keys = jwt.PyJWKSet.from_dict(await read("/mesh/keys"))
        claims = jwt.decode(token, keys[jwt.get_unverified_header(token)["kid"]].key, ["ES256"], audience="cloud")
        assert claims["sub"] == f"{DOMAIN}/ns/shop/sa/web"
        assert [each["use"] for each in (await read("/mesh/bundle"))["keys"]] == ["x509-svid", "jwt-svid"]
        async with session.get("/mesh/else", ssl=trusting) as other:
            assert other.status == 404


@pytest.mark.timeout(300)  # the first time the program is built
async def test_an_application_of_the_fields_own_library_meets_whom_it_authorizes_through_another_root(
    pods: Pods, web: Path
) -> None:
    await known(pods, web)
    own, other, root = f"{DOMAIN}/ns/shop/sa/web", f"{DOMAIN}/ns/shop/sa/db", next_root()
    with pods.application("mtls", web, own, other) as app, pods.application("follow", web) as following:
        assert await following.line() == {"roots": trusted(1)}
        first = await app.answer()
        assert first[own] == own
        assert "unexpected ID" in first[other]
        async with announced(pods, root), asyncio.timeout(PATIENCE):
            assert await following.line() == {"roots": trusted(2)}
            # It keeps what it has: half of its life is left, and its root is trusted.
            assert await app.answer() == first
            pods.roots.write_text(pem(root.issuing.certificate))
            assert await following.line() == {"roots": trusted(1)}
            second = first
            while second["serial"] == first["serial"]:
                second = await app.answer()
            # That one may have begun by the former.
            assert (await app.answer())[own] == own


@asynccontextmanager
async def announced(pods: Pods, root: Issuer) -> AsyncIterator[None]:
    """The node trusts *root*, too, by which the authority goes on; until the end, when all is as it was."""
    secret, roots = pods.cluster.found(ISSUER), pods.roots.read_bytes()
    issuer = new_intermediate(TrustDomain("cluster.local"), root, system_clock())
    following: Any = material_secret(Material(issuer, (root.issuing.certificate,)))
    try:
        pods.roots.write_bytes(roots + pem(root.issuing.certificate).encode())
        await pods.cluster.put(ISSUER, data=following["data"], type=following["type"])
        yield
    finally:
        await pods.cluster.put(ISSUER, data=secret["data"], type=secret["type"])
        pods.roots.write_bytes(roots)


@pytest.mark.timeout(300)  # the first time the program is built
async def test_an_application_of_the_fields_own_library_is_given_a_token_that_both_sides_take(
    pods: Pods, web: Path
) -> None:
    await known(pods, web)
    identity = f"{DOMAIN}/ns/shop/sa/web"
    with pods.application("tokens", web, "reports") as app:
        answer = await app.line()
    assert (answer["id"], answer["itself"], answer["asked"]) == (identity, identity, identity)
    assert "InvalidArgument" in answer["another"]


@pytest.mark.timeout(300)  # the first time the program is built
async def test_an_application_of_the_fields_own_library_believes_a_foreign_trust_domain_about_itself_alone(
    pods: Pods, web: Path
) -> None:
    await known(pods, web)
    theirs, ours = "spiffe://other.example/ns/shop/sa/web", f"{DOMAIN}/ns/shop/sa/web"
    with pods.application("peers", web, "reports") as app:
        assert set((await app.answer(shown_by_them(theirs))).values()) == {theirs}
        refused = await app.answer(shown_by_them(ours))
    assert all("://" not in word.split()[0] for word in refused.values()), refused
    assert "unknown authority" in refused["chain"]
    assert "InvalidArgument" in refused["asked"]


def shown_by_them(uri: str) -> str:
    """A chain and a token that the foreign trust domain made for whoever is called so."""
    identity, request = parsed_identity(uri), stub_request(new_key())
    token = jwt_svid((THEIR_KEY,), identity, ("reports",), "https://other.example", system_clock())
    return json.dumps({"chain": THEIRS.sign(request, WorkloadLeaf(identity)).pem, "token": token})
