"""Who is given which identity by Istio's protocol, and which refusals are for good: the decision alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.csr import stub_request
from ca.istio.asked import Asked, Caller, Certificate, PodToken
from ca.istio.population import LivePod, Population, live_pod
from ca.istio.verdict import LONGEST_BEHIND, Code, Refuse, verdict
from ca.profile import WorkloadLeaf
from ca.randomness import new_key
from ca.verdict import Sign
from kube.resources import Key
from proa.doors import Authority, IstioGrpc
from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import Certificate as Life
from proa.mesh import MeshConfiguration

HOME = ip_address("10.0.0.1")
MESH = MeshConfiguration(authority=Authority(istio=IstioGrpc(trusted_node_accounts=("mesh/ztunnel",))))
POD = LivePod("uid-1", "web", "node-1", (HOME,))
TOKEN = PodToken("shop", "web", "account-1", "web-1", "uid-1", "node-1")
PROXY = PodToken("mesh", "ztunnel", "account-2", "ztunnel-1", "uid-2", "node-1")
WEB = WorkloadIdentity(TrustDomain("cluster.local"), "shop", "web")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOLDER = Certificate(WEB, 7, NOW, HOME)
ASKED = Asked(stub_request(new_key()))


def population(*pods: tuple[str, str, LivePod], **accounts: str) -> Population:
    found = Population()
    for namespace, name, pod in pods:
        found.pod_changed(Key(namespace, name), pod)
    for account, uid in accounts.items():
        found.account_changed(Key("mesh" if account == "ztunnel" else "shop", account), uid)
    return found


PODS = (
    ("shop", "web-1", POD),
    ("mesh", "ztunnel-1", LivePod("uid-2", "ztunnel", "node-1")),
    ("shop", "far-1", LivePod("uid-3", "far", "node-2")),
)
ACCOUNTS = {"web": "account-1", "ztunnel": "account-2", "far": "account-3"}
KNOWN = population(*PODS, **ACCOUNTS)


def refused(
    asked: Asked, caller: Caller, known: Population = KNOWN, mesh: MeshConfiguration = MESH
) -> tuple[Code, str]:
    found = verdict(asked, caller, known, mesh, NOW)
    assert isinstance(found, Refuse)
    return found.code, found.reason


def identity(asked: Asked, caller: Caller, known: Population = KNOWN, mesh: MeshConfiguration = MESH) -> str:
    found = verdict(asked, caller, known, mesh, NOW)
    assert isinstance(found, Sign), found
    return str(found.contents)


def test_a_running_pod_gets_its_accounts_identity_by_token_and_by_certificate() -> None:
    assert identity(ASKED, TOKEN) == identity(ASKED, HOLDER) == WEB.uri


@pytest.mark.parametrize(
    ("caller", "code", "reason"),
    [
        (replace(TOKEN, pod="web-2"), Code.UNAVAILABLE, "PodNotKnown"),
        (replace(TOKEN, pod_uid="former"), Code.UNAVAILABLE, "PodNotKnown"),
        (replace(TOKEN, account="far"), Code.UNAUTHENTICATED, "ServiceAccountMismatch"),
        (replace(TOKEN, node="node-2"), Code.UNAUTHENTICATED, "NodeMismatch"),
        (replace(TOKEN, account_uid="former"), Code.UNAVAILABLE, "ServiceAccountNotKnown"),
        (replace(HOLDER, address=ip_address("10.0.0.2")), Code.PERMISSION_DENIED, "NoLivePod"),
        (replace(HOLDER, address=None), Code.PERMISSION_DENIED, "NoLivePod"),
        (replace(HOLDER, identity=replace(WEB, service_account="far")), Code.PERMISSION_DENIED, "NoLivePod"),
        (replace(HOLDER, identity=replace(WEB, namespace="mesh")), Code.PERMISSION_DENIED, "ServiceAccountGone"),
        (
            replace(HOLDER, not_after=NOW - timedelta(seconds=1)),
            Code.UNAUTHENTICATED,
            "CertificateExpired",
        ),
        (
            replace(HOLDER, identity=replace(WEB, trust_domain=TrustDomain("else"))),
            Code.UNAUTHENTICATED,
            "ForeignTrustDomain",
        ),
    ],
)
def test_what_may_come_right_is_worth_a_retry_and_what_cannot_is_not(caller: Caller, code: Code, reason: str) -> None:
    assert refused(ASKED, caller) == (code, reason)


def test_a_token_that_names_no_node_is_the_pods_all_the_same() -> None:
    assert identity(ASKED, replace(TOKEN, node="")) == WEB.uri


def test_a_workload_of_a_former_name_of_the_trust_domain_is_given_the_present_one() -> None:
    mesh = msgspec.structs.replace(MESH, trust_domain="new", trust_domain_aliases=("cluster.local",))
    wanted = replace(ASKED, impersonated=WEB.uri)
    given_ = {identity(ASKED, TOKEN, mesh=mesh), identity(ASKED, HOLDER, mesh=mesh), identity(wanted, PROXY, mesh=mesh)}
    assert given_ == {"spiffe://new/ns/shop/sa/web"}


def test_a_pod_without_a_node_runs_nowhere() -> None:
    known = population(("shop", "web-1", replace(POD, node="")), web="account-1")
    assert refused(ASKED, replace(TOKEN, node=""), known) == (Code.UNAUTHENTICATED, "NodeMismatch")


@pytest.mark.parametrize(
    ("caller", "wanted", "code", "reason"),
    [
        (TOKEN, WEB.uri, Code.PERMISSION_DENIED, "NotANodeProxy"),
        (HOLDER, WEB.uri, Code.PERMISSION_DENIED, "ImpersonationByCertificate"),
        (PROXY, "spiffe://cluster.local/ns/shop/sa/far", Code.UNAVAILABLE, "NotOnNode"),
        (PROXY, "spiffe://else/ns/shop/sa/web", Code.PERMISSION_DENIED, "ForeignTrustDomain"),
        (PROXY, "spiffe://cluster.local/web", Code.INVALID_ARGUMENT, "IdentityImpossible"),
        (replace(PROXY, node="node-2"), WEB.uri, Code.UNAUTHENTICATED, "NodeMismatch"),
    ],
)
def test_others_are_asked_for_by_trusted_proxies_of_their_node_alone(
    caller: Caller, wanted: str, code: Code, reason: str
) -> None:
    assert refused(replace(ASKED, impersonated=wanted), caller) == (code, reason)
    assert identity(replace(ASKED, impersonated=WEB.uri), PROXY) == WEB.uri


@pytest.mark.parametrize(
    ("caller", "wanted"), [(TOKEN, ""), (HOLDER, ""), (PROXY, WEB.uri)], ids=["token", "certificate", "proxy"]
)
def test_a_replica_that_has_lost_the_cluster_for_long_issues_nothing_by_what_it_knew(
    caller: Caller, wanted: str
) -> None:
    known, behind = population(*PODS, **ACCOUNTS), 0.0
    known.behind = lambda: behind
    asked = replace(ASKED, impersonated=wanted)
    behind = LONGEST_BEHIND
    assert identity(asked, caller, known) == WEB.uri
    behind += 1
    assert refused(asked, caller, known) == (Code.UNAVAILABLE, "ClusterNotFollowed")


def test_without_the_door_nobody_is_served() -> None:
    assert refused(ASKED, TOKEN, mesh=MeshConfiguration()) == (Code.UNAVAILABLE, "DoorClosed")


@pytest.mark.parametrize(
    ("seconds", "most", "given_"),
    [(0, 7200, 7200), (-1, 7200, 7200), (3600, 7200, 3600), (9999, 7200, 7200), (2**63 - 1, 7862400, 7862400)],
)
def test_a_life_is_as_asked_and_no_longer_than_the_meshs(seconds: int, most: int, given_: int) -> None:
    mesh = MeshConfiguration(authority=MESH.authority, certificate=Life(lifetime_seconds=most))
    found = verdict(replace(ASKED, seconds=seconds), TOKEN, KNOWN, mesh, NOW)
    assert isinstance(found, Sign)
    assert found.lifetime == timedelta(seconds=given_)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (replace(ASKED, seconds=3599), "LifetimeRefused"),
        (replace(ASKED, signer="example.com/x"), "OtherSigner"),
        (replace(ASKED, csr=b"none"), "RequestRejected"),
    ],
)
def test_what_is_wrong_with_the_request_is_said_in_words(asked: Asked, reason: str) -> None:
    found = verdict(asked, TOKEN, KNOWN, MESH, NOW)
    assert isinstance(found, Refuse)
    assert (found.code, found.reason) == (Code.INVALID_ARGUMENT, reason)
    assert "allowed" in found.message


words = st.sampled_from(["web", "far", "ztunnel", "shop", "mesh"])
uids = st.sampled_from(["uid-1", "uid-2", "account-1", "account-2"])
nodes = st.sampled_from(["", "node-1", "node-2"])
addresses = st.sampled_from([HOME, ip_address("10.0.0.2"), None])
identities = st.builds(
    WorkloadIdentity, st.sampled_from([TrustDomain("cluster.local"), TrustDomain("else")]), words, words
)
callers = st.builds(PodToken, words, words, uids, st.sampled_from(["web-1", "ztunnel-1"]), uids, nodes) | st.builds(
    Certificate, identities, st.just(1), st.just(HOLDER.not_after), addresses
)


@given(callers, st.just("") | identities.map(str))
def test_every_identity_that_is_given_is_the_callers_own_or_of_a_pod_on_the_proxys_node(
    caller: Caller, wanted: str
) -> None:
    found = verdict(replace(ASKED, impersonated=wanted), caller, KNOWN, MESH, NOW)
    if isinstance(found, Refuse):
        return
    assert isinstance(found.contents, WorkloadLeaf)
    given_ = found.contents.identity
    assert given_.trust_domain == TrustDomain("cluster.local")
    assert KNOWN.account_uid(given_.namespace, given_.service_account)
    match caller:
        case PodToken():
            pod = KNOWN.pod(caller.namespace, caller.pod)
            assert pod is not None
            assert (pod.uid, pod.account) == (caller.pod_uid, caller.account)
            own = (caller.namespace, caller.account)
            assert own == (given_.namespace, given_.service_account) or (
                own == ("mesh", "ztunnel") and KNOWN.runs_on(pod.node, given_.namespace, given_.service_account)
            )
        case Certificate():
            assert (given_, caller.address) == (caller.identity, HOME)


def shown(**status: Any) -> Any:
    spec = {"serviceAccountName": "web", "nodeName": "node-1", "containers": []}
    return {"metadata": {"uid": "uid-1", "name": "web-1"}, "spec": spec, "status": status}


def test_a_pod_is_read_as_the_api_server_shows_it() -> None:
    assert live_pod(shown(phase="Running", podIPs=[{"ip": "10.0.0.1"}])) == POD
    assert live_pod(shown()) == replace(POD, addresses=())
    for wrong in (shown(podIPs=[{"ip": "x"}]), {"metadata": {}}, None):
        with pytest.raises(Invalid):
            live_pod(wrong)


changes = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.none() | st.builds(LivePod, uids, words, nodes, st.lists(addresses.filter(bool), max_size=2).map(tuple)),
    ),
    max_size=12,
)


@given(changes, words, nodes)
def test_whatever_happened_only_what_is_there_is_found(
    happened: list[tuple[str, LivePod | None]], account: str, node: str
) -> None:
    found, present = Population(), dict[str, LivePod]()
    for name, pod in happened:
        found.pod_changed(Key("shop", name), pod)
        present.pop(name, None)
        if pod is not None:
            present[name] = pod
    assert all(found.pod("shop", name) == present.get(name) for name in "abc")
    on = any(pod.account == account and pod.node == node != "" for pod in present.values())
    assert found.runs_on(node, "shop", account) is on
    at = any(pod.account == account and HOME in pod.addresses for pod in present.values())
    assert found.runs_at(HOME, "shop", account) is at
    assert not found.runs_at(HOME, "mesh", account)
    for name in "abc":
        found.pod_changed(Key("shop", name), None)
    assert not found.runs_on(node, "shop", account)
