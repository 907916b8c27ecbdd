"""Which rules a connection meets: what the pod's kernel does is what is told, whoever programs it and wherever from."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from init.fate import Captured, First, Sender, fate
from init.flags import Request, Trace, request
from init.rules import ruleset
from init.walking import way
from installation.connections import Inbound, Outbound, seen
from installation.intercepted import Bare, Intercepted, intercepted
from installation.passage import Passage, passage, passages
from proa.capture.annotation import ANNOTATION, annotation
from proa.capture.interception import Interception
from proa.errors import Invalid, Refused
from proa.mesh import MeshConfiguration
from proa.programming import ByNode
from support.interceptions import interceptions

ADDRESSES = ("10.77.0.2", "fd77::2")
POD = """
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  annotations: {proa.dev/exclude-outbound-cidrs: 10.1.0.0/16, proa.dev/udp: drop}
spec:
  securityContext: {runAsUser: 500}
  containers:
  - {name: app, securityContext: {runAsGroup: 600}, readinessProbe: {httpGet: {port: 80}}}
"""
ELSEWHERE = Outbound("10.0.0.5:443", "tcp", "eth0")
ids = st.sampled_from([0, 5, 1000, 1337, 2000])


def pod(wanted: Interception, **more: Any) -> Any:
    """Of a cluster, programmed by its node."""
    status = {"podIPs": [{"ip": each} for each in ADDRESSES], **more}
    metadata = {"annotations": {ANNOTATION: annotation(wanted)}}
    return {"metadata": metadata, "spec": {"containers": [{"name": "app"}]}, "status": status}


def told(asked: Outbound | Inbound, text: str = POD, configuration: MeshConfiguration | None = None) -> Passage:
    (found,) = passages(text, configuration or MeshConfiguration(), asked)
    return found


@given(interceptions(), ids, ids, st.sampled_from(["tcp", "udp"]), st.integers(1, 65535))
def test_what_is_told_of_a_connection_is_what_the_settings_mean(
    wanted: Interception, uid: int, gid: int, protocol: Any, port: int
) -> None:
    for address, shown in (("10.96.0.10", "10.96.0.10"), ("fd77::2", "[fd77::2]"), ("127.0.0.1", "127.0.0.1")):
        asked = Outbound(f"{shown}:{port}", protocol, "eth1", uid=uid, gid=gid)
        found = passage(pod(wanted), asked, "web")
        itself = address != "10.96.0.10"
        source = address if itself else "10.77.0.2"
        interface = "lo" if itself else "eth1"
        expected = fate(wanted, First(protocol, source, address, port, interface, Sender(uid, gid), to_pod=itself))
        assert found.outcome == type(expected).__name__.lower()
        assert found.port == (expected.port if isinstance(expected, Captured) else None)


@given(interceptions(), st.sampled_from(["10.77.0.1", "fd77::1"]), st.integers(1, 65535))
def test_the_rules_that_are_told_are_those_of_the_pod(wanted: Interception, source: str, port: int) -> None:
    found = passage(pod(wanted), Inbound(source, port, "tcp", "eth0"), "web")
    own = ADDRESSES[":" in source]
    walked = way(ruleset(wanted), First("tcp", source, own, port, "eth0", to_pod=True))
    assert [(each.chain, each.why) for each in found.met] == [(each.chain, each.rule.why) for each in walked.met]


@pytest.mark.parametrize("asked", [ELSEWHERE, Inbound("10.0.0.9", 15100, "tcp", "eth0")])
def test_it_is_the_same_whoever_programs_the_pod(asked: Outbound | Inbound) -> None:
    by_node = told(asked, configuration=msgspec.structs.replace(MeshConfiguration(), interception=ByNode()))
    by_pod = told(asked)
    assert (by_node.met, by_node.settings, by_node.outcome) == (by_pod.met, by_pod.settings, by_pod.outcome)
    assert by_node.notes[0] != by_pod.notes[0]


@given(interceptions(), ids, st.sampled_from(["10.96.0.10:80", "[fd77::2]:80", "127.0.0.1:53"]))
def test_the_command_for_the_kernels_word_is_about_the_same(wanted: Interception, uid: int, to: str) -> None:
    for asked in (Outbound(to, "udp", "eth1", uid=uid, gid=5), Inbound("10.0.0.9", 8080, "tcp", "eth0")):
        found = request(passage(pod(wanted), asked, "web").command[1:], lambda: ())
        assert isinstance(found, Request)
        assert isinstance(found.action, Trace)
        assert found.action.interception == wanted
        first = seen(asked, pod(wanted), wanted).first
        assert vars(found.action.first) | {"source": first.source} == vars(first)


def test_a_rule_is_told_as_nft_lists_it_with_its_reason() -> None:
    found = told(Outbound("10.1.0.5:443", "tcp", "eth0"))
    (deciding,) = [each for each in found.met if each.chain == "destinations"]
    assert deciding.why == "excluded networks are dialled directly"
    assert deciding.rule == 'ip daddr @excluded_cidrs_4 counter name "outbound_excluded" return'
    assert found.settings["exclude-outbound-cidrs"] == "10.1.0.0/16"
    assert (found.outcome, found.conclusion) == ("direct", "it goes where it was sent, not through the sidecar")


def test_who_dials_is_the_container_that_was_named_as_the_pod_says() -> None:
    assert "user 500, group 600" in told(ELSEWHERE).connection
    assert told(ELSEWHERE).port == 15001
    proxys = told(Outbound("10.0.0.5:443", "tcp", "eth0", container="proa-proxy"))
    assert ("user 1337, group 1337" in proxys.connection, proxys.outcome) == (True, "direct")
    given_one = told(Outbound("10.0.0.5:443", "tcp", "eth0", uid=0))
    assert "user 0, group 600" in given_one.connection


@pytest.mark.parametrize(
    ("to", "dialled"),
    [("127.0.0.6:80", "127.0.0.6:80"), ("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80")],
)
def test_what_is_dialled_on_loopback_comes_from_where_the_kernel_dials_it(to: str, dialled: str) -> None:
    including = Interception(included_outbound_cidrs=("127.0.0.0/8", "::1"))
    found = passage(pod(including), Outbound(to, "tcp", "eth0"), "web")
    source = "::1" if "[" in to else "127.0.0.1"
    assert found.connection.startswith(f"tcp from {source} to {dialled}, leaving by lo")
    assert (found.port, found.met[-1].why) == (15001, "included networks, of loopback, too")


def test_what_is_dialled_at_the_hairpins_address_comes_from_there_and_is_left_alone() -> None:
    found = passage(pod(Interception()), Outbound("[::6]:8080", "tcp", "eth0"), "web")
    assert found.connection.startswith("tcp from ::6 to [::6]:8080, leaving by lo")
    assert (found.outcome, found.met[-1].why) == ("direct", "the proxy hands a connection to the application")


def test_ipv4_in_the_notation_of_ipv6_is_dialled_as_ipv4() -> None:
    for mapped, plain in (("[::ffff:10.0.0.5]:443", "10.0.0.5:443"), ("[::FFFF:7f00:1]:443", "127.0.0.1:443")):
        found = passage(pod(Interception()), Outbound(mapped, "tcp", "eth0"), "web")
        assert found == passage(pod(Interception()), Outbound(plain, "tcp", "eth0"), "web")
    arriving = passage(pod(Interception()), Inbound("::ffff:10.0.0.9", 8080, "tcp", "eth0"), "web")
    assert arriving == passage(pod(Interception()), Inbound("10.0.0.9", 8080, "tcp", "eth0"), "web")
    with pytest.raises(Invalid, match="an address outside the pod"):
        passage(pod(Interception()), Inbound("::ffff:127.0.0.1", 8080, "tcp", "eth0"), "web")


@pytest.mark.parametrize("source", ["127.0.0.1", "::1", "::6", *ADDRESSES])
def test_nobody_arrives_from_inside_the_pod_as_port_forwarding_does_not(source: str) -> None:
    with pytest.raises(Invalid, match="an address outside the pod: what is dialled inside it goes with --to"):
        passage(pod(Interception()), Inbound(source, 8080, "tcp", "eth0"), "web")


def test_what_is_taken_for_granted_is_said() -> None:
    notes = told(ELSEWHERE, POD.replace("securityContext: {runAsUser: 500}", "hostname: web")).notes
    assert any("the pod has no address yet" in note for note in notes)
    assert any("container app names no user: 1000 is taken" in note for note in notes)
    begun = pod(Interception(), initContainerStatuses=[{"name": "proa-init", "state": {"running": {}}}])
    assert any("proa-init has not ended well yet" in note for note in passage(begun, ELSEWHERE, "web").notes)


def test_a_pod_without_a_sidecar_meets_no_rule() -> None:
    bare = told(ELSEWHERE, POD.replace("  name: web\n", "  name: web\n  labels: {proa.dev/inject: disabled}\n"))
    assert (bare.met, bare.outcome) == ((), "direct")
    assert bare.conclusion == "it goes where it was sent: the pod carries no sidecar of Proa's"


def contained(**container: Any) -> Any:
    return {"spec": {"initContainers": [{"name": "proa-init", **container}]}}


def test_settings_are_read_wherever_proa_init_reads_them() -> None:
    environment = [{"name": "PROA_INIT_UDP", "value": "drop"}]
    assert intercepted(contained(command=["proa-init", "--quic=reject"], env=environment)) == Intercepted(
        Interception(udp="drop", quic="reject"), "the arguments of the container proa-init"
    )
    istios = intercepted(contained(command=["proa-init"], args=["--istio", "-i", "*", "-o", "22"]))
    assert isinstance(istios, Intercepted)
    assert istios.interception.excluded_outbound_ports == ((22, 22),)
    assert isinstance(intercepted({}), Bare)


@pytest.mark.parametrize(
    ("container", "complaint"),
    [
        ({"args": ["proa-init", "--udp=maybe"]}, "--udp"),
        ({"args": ["proa-init", "--remove"]}, "args: found 'remove'"),
        ({"args": ["proa-init", "--help"]}, "args: found 'help'"),
        ({"args": ["proa-init", "--dns=resolv.conf"]}, "--dns: found 'resolv.conf'"),
        ({"args": ["sh", "-c", "true"]}, "command: found 'sh'"),
        ({"env": [{"name": "PROA_INIT_FILE", "value": "/x"}]}, "PROA_INIT_FILE: found '/x'"),
    ],
)
def test_what_cannot_be_known_from_outside_is_refused(container: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Refused) as refused:
        intercepted(contained(**container))
    assert complaint in str(refused.value)


def test_every_mistake_of_a_connection_is_named_at_once() -> None:
    with pytest.raises(Refused) as refused:
        Outbound("web:80", "tcp", "eth0", uid=-1, gid=2**32)
    assert [each.field for each in refused.value.problems] == ["--to", "--uid", "--gid"]
    with pytest.raises(Refused) as refused:
        Inbound("10.0.0.0/8", 0, "tcp", "eth0")
    assert [each.field for each in refused.value.problems] == ["--from", "--port"]


def test_a_connection_that_the_pod_cannot_have_is_refused() -> None:
    four = {"spec": {"containers": [{"name": "app"}]}, "status": {"podIPs": [{"ip": "10.77.0.2"}]}}
    for asked in (Outbound("[fd00::5]:80", "tcp", "eth0"), Inbound("fd00::5", 80, "tcp", "eth0")):
        with pytest.raises(Invalid, match=r"a family that the pod has: it is 10\.77\.0\.2"):
            seen(asked, four, Interception())
    with pytest.raises(Invalid, match="--container: found 'nobody', allowed: app"):
        seen(Outbound("10.0.0.5:80", "tcp", "eth0", container="nobody"), four, Interception())
