"""What the sidecar listens for in the kubelet's place: for any probes what Envoy takes, and one question a route."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.mesh import IpFamily, MeshConfiguration
from proxy.probes import Backend, Probe, Protocol, probe_resources

POD = "10.88.0.2"
probes = st.builds(
    Probe,
    st.builds(Backend, st.sampled_from(Protocol), st.integers(1, 65535)),
    st.text(min_size=1),
    st.integers(0, 2**31 - 1),
    st.integers(1, 2**31 - 1),
    st.frozensets(st.sampled_from(["x-forwarded-proto", "accept"])),
)


def asking(protocol: Protocol, target: str = "/x", seconds: int = 1, period: int = 10, *headers: str) -> Probe:
    return Probe(Backend(protocol, 8080), target, seconds, period, frozenset(headers))


def made(*asked: Probe, family: IpFamily = IpFamily.DUAL_STACK) -> Any:
    return json.loads(json.dumps(probe_resources({15100: asked}, POD, family)))


def below(value: Any) -> Iterator[Any]:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from below(inner)


def routes(resources: Any) -> list[Any]:
    return [value for value in below(resources["listeners"]) if isinstance(value, dict) and "match" in value]


@pytest.mark.parametrize("family", IpFamily)
def test_envoy_accepts_every_protocol_beside_a_sidecars_bootstrap(
    family: IpFamily, tmp_path: Path, envoy: Path, bootstrap_written: Any, accepted: Callable[..., str]
) -> None:
    one_of_each = {15100 + number: [asking(protocol)] for number, protocol in enumerate(Protocol)}
    resources = {"static_resources": probe_resources(one_of_each, POD, family)}
    file = bootstrap_written(MeshConfiguration(ip_family=family), tmp_path)
    assert accepted(envoy, file, "--config-yaml", json.dumps(resources)) == ""
    wrong = json.dumps(resources).replace("tcp_health_check", "tcp_health_cheque")
    assert "tcp_health_cheque" in accepted(envoy, file, "--config-yaml", wrong)


@given(st.lists(probes, min_size=1, max_size=4))
def test_a_route_is_one_method_and_one_target_to_the_letter(asked: list[Probe]) -> None:
    same = [Probe(asked[0].backend, each.target, each.seconds, each.period, each.headers) for each in asked]
    resources = made(*same)
    for route in routes(resources):
        method, path = route["match"]["headers"]
        assert (method["name"], path["name"]) == (":method", ":path")
        assert method["string_match"] == {"exact": "POST" if asked[0].backend.protocol is Protocol.GRPC else "GET"}
        assert set(path["string_match"]) == {"exact"}
        assert route["route"]["cluster"] == resources["clusters"][0]["name"]
    expected = {
        Protocol.HTTP: {each.target for each in asked},
        Protocol.HTTPS: {each.target for each in asked},
        Protocol.GRPC: {"/grpc.health.v1.Health/Check"},
        Protocol.TCP: set[str](),
    }
    targets = [route["match"]["headers"][1]["string_match"]["exact"] for route in routes(resources)]
    assert sorted(targets) == sorted(expected[asked[0].backend.protocol])


def test_the_application_is_called_at_the_pods_address_from_the_hairpin_address() -> None:
    for family in IpFamily:
        (cluster,) = made(asking(Protocol.HTTP), family=family)["clusters"]
        (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        assert endpoint["endpoint"]["address"]["socket_address"] == {"address": POD, "port_value": 8080}
        assert cluster["upstream_bind_config"]["source_address"]["address"] == names.HAIRPIN_IPV4
        assert ("::6" in json.dumps(cluster)) is (family is IpFamily.DUAL_STACK)


def test_an_answer_may_take_as_long_as_the_most_patient_of_its_probes() -> None:
    (route,) = routes(made(asking(Protocol.HTTP, seconds=2), asking(Protocol.HTTP, seconds=7)))
    assert route["route"]["timeout"] == "7s"
    (route,) = routes(made(asking(Protocol.HTTP, seconds=2), asking(Protocol.HTTP, seconds=0)))
    assert route["route"]["timeout"] == "0s"


def test_a_header_that_envoy_adds_is_taken_out_unless_the_probe_sets_it() -> None:
    (route,) = routes(made(asking(Protocol.HTTP)))
    assert route["request_headers_to_remove"] == ["x-forwarded-proto"]
    (route,) = routes(made(asking(Protocol.HTTP, "/x", 1, 10, "x-forwarded-proto")))
    assert route["request_headers_to_remove"] == []


@pytest.mark.parametrize(("periods", "interval"), [((10, 30), "5s"), ((1,), "1s"), ((3,), "1s")])
def test_a_tcp_check_is_made_twice_in_the_shortest_period(periods: tuple[int, ...], interval: str) -> None:
    resources = made(*(asking(Protocol.TCP, period=period) for period in periods))
    ((check,),) = (cluster["health_checks"] for cluster in resources["clusters"])
    assert check["no_traffic_healthy_interval"] == interval
    assert check["no_traffic_interval"] == "1s"
