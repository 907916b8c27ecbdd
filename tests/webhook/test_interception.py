"""What pods say of their interception: read as proa-init reads it, and given to it word for word."""

from typing import Any

import msgspec
import pytest
from hypothesis import given

from init.flags import Install, Request, request
from init.istio import translated
from installation.explanation import Explanation, explanation
from proa import names
from proa.capture.choices import AllDns
from proa.capture.interception import Interception
from proa.capture.settings import SETTINGS, described
from proa.capture.spans import holds
from proa.errors import Refused
from proa.mesh import MeshConfiguration, Vocabulary, mesh_configuration
from support.injecting import decided, in_list, injected, uninjected
from support.interceptions import interceptions
from webhook.decision import Subject
from webhook.decoding import converted
from webhook.interception import OFFERED
from webhook.pod import Pod
from webhook.registration import Revision, registration
from webhook.sidecar import sidecar
from webhook.wishes import Wishes, wishes

MESH = MeshConfiguration()
ISTIO = MeshConfiguration(vocabulary=Vocabulary.ISTIO)
ENFORCED = mesh_configuration("injection: {enforce: [demo]}")
SIDECARS = ((names.READY_PORT, names.READY_PORT), (names.METRICS_PORT, names.METRICS_PORT))


def pod_with(annotations: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": "web", "annotations": annotations}, "spec": {"containers": [{"name": "app"}]}}


def own(**settings: str) -> dict[str, str]:
    return {f"proa.dev/{name.replace('_', '-')}": value for name, value in settings.items()}


def istios(**settings: str) -> dict[str, str]:
    return {f"traffic.sidecar.istio.io/{name}": value for name, value in settings.items()}


def read(annotations: dict[str, str], configuration: MeshConfiguration = MESH) -> Wishes:
    return wishes(msgspec.convert(pod_with(annotations), Pod), configuration)


def programmed(arguments: tuple[str, ...]) -> Interception:
    """What proa-init does of *arguments*."""
    asked = request(arguments, lambda: ())
    assert isinstance(asked, Request)
    assert isinstance(asked.action, Install)
    return asked.action.interception


def explained(annotations: dict[str, str]) -> Explanation:
    raw = pod_with(annotations)
    subject = Subject(converted(raw, Pod, ""), "demo", {names.INJECT: "enabled"}, MESH)
    return explanation(subject, raw, [registration(Revision())], sidecar(MESH))


@given(interceptions(least=6))
def test_what_is_asked_for_is_what_proa_init_does_or_the_pod_is_refused_for_what_proa_init_refuses(
    wanted: Interception,
) -> None:
    offered = {flag: described(wanted)[flag[2:]] for flag in OFFERED}
    if isinstance(wanted.dns, AllDns) or wanted.virtual_interfaces or {wanted.ipv4, wanted.ipv6} != {"capture"}:
        offered["--dns"] = "off"
    found = read({f"proa.dev/{flag[2:]}": text for flag, text in offered.items()})
    fields = {SETTINGS[flag].field: SETTINGS[flag].read(text) for flag, text in offered.items()}
    excluded = fields["excluded_inbound_ports"]
    beside = (span for span in SIDECARS if not any(first <= span[0] <= last for first, last in excluded))
    fields["excluded_inbound_ports"] = (*excluded, *beside)
    if found.problems:
        with pytest.raises(Refused) as refused:
            Interception(**fields)
        assert [each.allowed for each in found.problems] == [each.allowed for each in refused.value.problems]
    else:
        assert programmed(found.settings.intercepting) == Interception(**fields)


def test_what_is_so_anyway_makes_no_pod_another_than_the_ordinary() -> None:
    said = own(include_inbound_ports="*", exclude_inbound_ports="", ipv6="capture", drop_invalid="false")
    assert read(said).settings.intercepting == ()
    assert "args" not in in_list(injected(pod_with(said)), "initContainers", names.INIT_CONTAINER)


def test_every_contradiction_is_told_by_its_annotation_with_all_else_that_is_wrong() -> None:
    found = read(
        own(
            include_inbound_ports="8080,8081",
            exclude_inbound_ports="8081",
            exclude_outbound_cidrs="10.0.0.1/8",
            exclude_interfaces="lo",
            exclude_outbound_ports="70000",
            udp="maybe",
            concurrency="none",
        )
    )
    assert [problem.field for problem in found.problems] == [
        "metadata.annotations['proa.dev/udp']",
        "metadata.annotations['proa.dev/concurrency']",
        "metadata.annotations['proa.dev/exclude-outbound-ports']",
        "metadata.annotations['proa.dev/include-inbound-ports']",
        "metadata.annotations['proa.dev/exclude-outbound-cidrs']",
        "metadata.annotations['proa.dev/exclude-interfaces']",
    ]


def test_a_contradiction_to_what_was_not_said_names_the_default() -> None:
    (problem,) = read(own(exclude_inbound_ports="*")).problems
    assert problem.field == "the default of proa.dev/include-inbound-ports"


@pytest.mark.parametrize(("flag", "one", "most"), [("exclude-outbound-ports", "80", 341), ("exclude-gids", "5", 512)])
def test_a_list_that_would_take_long_to_compare_is_refused(flag: str, one: str, most: int) -> None:
    assert read({f"proa.dev/{flag}": ",".join([one] * most)}).problems == ()
    (problem,) = read({f"proa.dev/{flag}": ",".join([one] * (most + 1))}).problems
    assert problem.allowed.endswith("at most 1024 characters")


def test_a_list_of_thousands_of_mistakes_is_refused_in_few_words() -> None:
    problems = read(own(exclude_outbound_cidrs=",".join(["nowhere"] * 2000))).problems
    assert len(problems) == 32
    assert {problem.field for problem in problems} == {"metadata.annotations['proa.dev/exclude-outbound-cidrs']"}


@pytest.mark.parametrize("flag", ["proxy-uid", "outbound-port", "inbound-port", "dns-port", "loopback"])
def test_what_the_sidecar_has_no_part_for_is_no_annotation(flag: str) -> None:
    found = read({f"proa.dev/{flag}": "1"})
    assert found.settings.intercepting == ()
    assert "means nothing" in found.warnings[0]


def test_an_injected_pod_calls_proa_init_with_it_is_not_injected_twice_and_is_restored() -> None:
    before = pod_with(own(exclude_outbound_ports="5432", udp="drop"))
    made = injected(before)
    container = in_list(made, "initContainers", names.INIT_CONTAINER)
    assert container["command"] == ["proa-init"]
    assert container["args"] == ["--exclude-outbound-ports=5432", "--udp=drop"]
    assert decided(made).operations == ()
    assert uninjected(made) == before


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"exclude_inbound_ports": "8080"},
        {"exclude_inbound_ports": "8080,15100"},
        {"include_inbound_ports": "8080-8090", "exclude_inbound_ports": "8085", "udp": "drop"},
        {"include_inbound_ports": "8080-8090"},
    ],
)
def test_the_kubelet_reaches_the_listeners_of_probes_whatever_a_pod_excludes(said: dict[str, str]) -> None:
    probe = {"httpGet": {"port": 8080, "path": "/"}}
    pod = pod_with(own(**said))
    pod["spec"]["containers"][0] |= {"readinessProbe": probe, "livenessProbe": {"httpGet": {"port": 8081}}}
    once = injected(pod, MESH)
    init = in_list(once, "initContainers", names.INIT_CONTAINER)
    wanted = programmed((*init["command"][1:], *init.get("args", ())))
    for port in (names.READY_PORT, names.METRICS_PORT, names.PROBE_PORTS, names.PROBE_PORTS + 1):
        assert holds(wanted.excluded_inbound_ports, port)
    for name, text in said.items():
        asked: Any = SETTINGS[f"--{name.replace('_', '-')}"].read(text)
        done: Any = getattr(wanted, SETTINGS[f"--{name.replace('_', '-')}"].field)
        assert done == asked if isinstance(asked, str) or name == "udp" else set(asked) <= set(done)
    assert decided(once, MESH).operations == ()
    assert uninjected(once) == pod


def test_a_pod_whose_annotation_changed_is_injected_anew() -> None:
    made = injected(pod_with(own(exclude_outbound_ports="5432")))
    made["metadata"]["annotations"] |= own(exclude_outbound_ports="6379")
    again = injected(made)
    assert again == injected(pod_with(own(exclude_outbound_ports="6379")))


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        (own(exclude_outbound_ports="80"), False),
        (own(include_inbound_ports=""), False),
        (own(ipv6="bypass"), False),
        (own(virtual_interfaces="eth0"), False),
        (own(exclude_users="0"), False),
        (own(udp="drop", quic="reject", drop_invalid="true", log_rate="5"), True),
        (own(include_inbound_ports="*", exclude_inbound_ports=str(names.READY_PORT)), True),
    ],
)
def test_where_injection_is_enforced_nobody_opts_out_port_by_port(said: dict[str, str], passes: bool) -> None:
    if passes:
        assert injected(pod_with(said), ENFORCED)
    else:
        with pytest.raises(Refused, match=r"injection\.enforce lists the namespace"):
            decided(pod_with(said), ENFORCED)


def test_where_injection_is_enforced_no_template_opens_a_port_either() -> None:
    # Whoever writes a pod may choose any template, also one that is meant for other namespaces.
    mesh = mesh_configuration("""
        injection: {enforce: [demo]}
        templates: {scraped: {metadata: {annotations: {proa.dev/exclude-inbound-ports: "9090"}}}}
    """)
    with pytest.raises(Refused, match=r"injection\.enforce lists the namespace"):
        decided(pod_with({names.TEMPLATES: "scraped"}), mesh)


def test_a_default_template_says_it_for_the_whole_mesh_and_leaves_no_rest() -> None:
    mesh = mesh_configuration("""
        defaultTemplates: [database]
        templates: {database: {metadata: {annotations: {proa.dev/exclude-outbound-ports: "5432"}}}}
    """)
    before = pod_with({})
    made = injected(before, mesh)
    assert in_list(made, "initContainers", names.INIT_CONTAINER)["args"] == ["--exclude-outbound-ports=5432"]
    assert decided(made, mesh).operations == ()
    assert uninjected(made) == before


def test_an_explanation_says_what_of_the_traffic_is_not_as_everywhere() -> None:
    assert explained(own(exclude_outbound_ports="5432")).interception == ("--exclude-outbound-ports=5432",)
    assert explained({}).interception == ()


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        (istios(includeInboundPorts="80, 8080", excludeInboundPorts="90"), {"-b": "80,8080", "-d": "15021,15090,90"}),
        (istios(includeInboundPorts=""), {"-b": ""}),
        (istios(includeOutboundIPRanges="10.1.2.3/8,fd00::1/8"), {"-i": "10.1.2.3/8,fd00::1/8"}),
        (istios(includeOutboundIPRanges="", includeOutboundPorts="8443"), {"-i": "", "-q": "8443"}),
        (istios(excludeOutboundIPRanges="9.9.9.9/32"), {"-x": "9.9.9.9/32"}),
        (istios(excludeOutboundPorts="5432,6379"), {"-o": "5432,6379"}),
        (istios(excludeInterfaces="net1,net2"), {"-c": "net1,net2"}),
        (istios(kubevirtInterfaces="k6t0"), {"-k": "k6t0"}),
        ({**istios(kubevirtInterfaces="old"), "istio.io/reroute-virtual-interfaces": "docker0"}, {"-k": "docker0"}),
        ({"sidecar.istio.io/interceptionMode": "REDIRECT"}, {}),
        ({"sidecar.istio.io/interceptionMode": "TPROXY"}, {"-m": "TPROXY"}),
        ({"sidecar.istio.io/interceptionMode": "NONE"}, {"-b": "", "-i": ""}),
    ],
)
def test_istios_annotations_mean_what_istios_flags_mean(said: dict[str, str], flags: dict[str, str]) -> None:
    """The flags are those that Istio's injection template makes of them."""
    found = read(said, ISTIO)
    assert (found.problems, found.warnings) == ((), ())
    template = {"-b": "*", "-d": "15021,15090", "-i": "*", **flags}
    asked = programmed(translated([word for pair in template.items() for word in pair], {}))
    assert _fields(programmed(found.settings.intercepting)) == _fields(asked)


def _fields(wanted: Interception) -> dict[str, object]:
    """Of what is offered; ports in one order."""
    found = {flag: getattr(wanted, SETTINGS[flag].field) for flag in OFFERED}
    return {flag: sorted(value) if flag.endswith("-ports") else value for flag, value in found.items()}


@pytest.mark.parametrize(
    ("said", "warned"),
    [
        (istios(includeOutboundPorts="80"), "captured on every port anyway"),
        ({"sidecar.istio.io/interceptionMode": "NONE", **istios(excludeOutboundPorts="80")}, "is NONE"),
    ],
)
def test_what_of_istios_changes_nothing_says_so(said: dict[str, str], warned: str) -> None:
    found = read(said, ISTIO)
    assert found.problems == ()
    (warning,) = found.warnings
    assert warned in warning
    assert set(found.settings.intercepting) <= {"--include-inbound-ports=", "--include-outbound-cidrs="}


def test_what_istio_would_refuse_is_refused_by_istios_key() -> None:
    said = {"sidecar.istio.io/interceptionMode": "tproxy", **istios(excludeOutboundPorts="x", kubevirtInterfaces="lo")}
    found = read(said, ISTIO)
    assert {problem.field for problem in found.problems} == {f"metadata.annotations['{key}']" for key in said}


@pytest.mark.parametrize("said", ["all", "resolv.conf", "10.96.0.10,resolv.conf", "on", "kube-dns", "10.96.0.0/12", ""])
def test_questions_go_to_servers_that_are_known_when_the_pod_is_made(said: str) -> None:
    (problem,) = read(own(dns=said)).problems
    assert problem.field == "metadata.annotations['proa.dev/dns']"


def test_servers_of_either_family_are_told_to_proa_init_as_they_are() -> None:
    found = read(own(dns="10.96.0.10,fd96::a"))
    assert (found.problems, found.settings.intercepting) == ((), ("--dns=10.96.0.10,fd96::a",))


def test_what_the_sidecar_could_not_answer_on_loopback_is_refused() -> None:
    (problem,) = read(own(dns="10.96.0.10", virtual_interfaces="k6t0")).problems
    assert "on loopback alone" in problem.allowed


@pytest.mark.parametrize(("family", "server"), [("ipv4", "10.96.0.10"), ("ipv6", "fd96::a")])
@pytest.mark.parametrize("policy", ["bypass", "drop"])
def test_a_server_of_a_family_that_is_not_captured_is_refused(family: str, server: str, policy: str) -> None:
    (problem,) = read(own(dns="10.96.0.10,fd96::a", **{family: policy})).problems
    assert (problem.found, policy in problem.allowed) == (server, True)


def test_istios_traffic_annotations_are_not_read_unless_the_configuration_says_so() -> None:
    assert read(istios(excludeOutboundPorts="80")) == Wishes()
