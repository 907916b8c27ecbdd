"""Which probes and hooks go to the sidecar, where to, and how it is told."""

import copy
import json
from collections.abc import Callable
from itertools import chain
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.probes import Protocol
from webhook.kubelet import port_number, request_target
from webhook.pod import ContainerPort, Pod
from webhook.position import Position
from webhook.probes import rewriting
from webhook.review import Response

PLACES = ("readinessProbe", "livenessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")


def pod_with(*containers: dict[str, Any]) -> Pod:
    listed = [{"name": f"app-{number}", **container} for number, container in enumerate(containers)]
    return msgspec.convert({"spec": {"containers": listed}}, Pod)


def edits(pod: Pod) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(msgspec.json.encode(rewriting(pod).operations))
    return found


def asked(pod: Pod) -> list[tuple[int, Protocol, int, tuple[str, ...]]]:
    """Of each listener: its port, and what it asks of which port of the application."""
    return [
        (port, probes[0].backend.protocol, probes[0].backend.port, tuple(probe.target for probe in probes))
        for port, probes in rewriting(pod).listening
    ]


@pytest.mark.parametrize("place", PLACES)
def test_an_http_probe_changes_its_port_alone(place: str) -> None:
    pod = pod_with({place: {"httpGet": {"path": "/x", "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 3}})
    assert edits(pod) == [{"op": "add", "path": f"/spec/containers/0/{place}/httpGet/port", "value": 15100}]
    assert asked(pod) == [(15100, Protocol.HTTP, 8080, ("/x",))]


@pytest.mark.parametrize("place", PLACES)
def test_an_https_probe_becomes_an_http_one(place: str) -> None:
    pod = pod_with({place: {"httpGet": {"port": 8443, "scheme": "HTTPS"}}})
    assert [(edit["path"].rpartition("/")[2], edit["value"]) for edit in edits(pod)] == [
        ("port", 15100),
        ("scheme", "HTTP"),
    ]
    assert asked(pod) == [(15100, Protocol.HTTPS, 8443, ("/",))]


@pytest.mark.parametrize("place", PLACES)
def test_a_tcp_probe_becomes_an_http_one(place: str) -> None:
    pod = pod_with({place: {"tcpSocket": {"port": 5432}, "periodSeconds": 4}})
    assert edits(pod) == [
        {"op": "remove", "path": f"/spec/containers/0/{place}/tcpSocket"},
        {"op": "add", "path": f"/spec/containers/0/{place}/httpGet", "value": {"path": "/tcp", "port": 15100}},
    ]
    assert asked(pod) == [(15100, Protocol.TCP, 5432, ("/tcp",))]


@pytest.mark.parametrize("place", PLACES)
def test_a_grpc_probe_changes_its_port_alone(place: str) -> None:
    pod = pod_with({place: {"grpc": {"port": 9000, "service": "x"}}})
    assert edits(pod) == [{"op": "add", "path": f"/spec/containers/0/{place}/grpc/port", "value": 15100}]
    assert asked(pod)[0][:3] == (15100, Protocol.GRPC, 9000)


@pytest.mark.parametrize("hook", HOOKS)
def test_an_http_hook_changes_its_port_and_has_no_time_to_keep(hook: str) -> None:
    pod = pod_with({"lifecycle": {hook: {"httpGet": {"path": "/drain", "port": 8080}}}})
    path = f"/spec/containers/0/lifecycle/{hook}/httpGet/port"
    assert edits(pod) == [{"op": "add", "path": path, "value": 15100}]
    assert [probe.seconds for probe in rewriting(pod).listening[0][1]] == [0]


def test_a_native_sidecars_probes_are_answered_too() -> None:
    probe = {"httpGet": {"path": "/x", "port": 2020}}
    spec = {
        "initContainers": [{"name": "shipper", "restartPolicy": "Always", "startupProbe": probe}],
        "containers": [{"name": "app"}],
    }
    pod = msgspec.convert({"spec": spec}, Pod)
    assert [edit["path"] for edit in edits(pod)] == ["/spec/initContainers/0/startupProbe/httpGet/port"]


@pytest.mark.parametrize(
    "container",
    [
        {"readinessProbe": {"exec": {"command": ["true"]}}},
        {"readinessProbe": None, "lifecycle": None},
        {"readinessProbe": {"httpGet": None}},
        {"lifecycle": {"preStop": {"exec": {"command": ["true"]}}, "postStart": None}},
        {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}},
        {"lifecycle": {"preStop": {"tcpSocket": {"port": 80}}}},
        {"readinessProbe": {"httpGet": {"port": 80, "host": "example.com"}}},
        {"readinessProbe": {"tcpSocket": {"port": 80, "host": "10.0.0.1"}}},
        {"readinessProbe": {"httpGet": {"port": 80, "scheme": "GOPHER"}}},
        {"readinessProbe": {"httpGet": {"port": 80}, "tcpSocket": {"port": 80}}},
        *(
            {"readinessProbe": {"httpGet": {"port": port}}}
            for port in (0, 65536, -1, 15000, 15001, 15006, 15021, 15090)
        ),
    ],
    ids=str,
)
def test_what_asks_nobody_or_somebody_else_stays(container: dict[str, Any]) -> None:
    assert rewriting(pod_with(container)) == rewriting(pod_with({}))
    assert rewriting(pod_with({})).operations == ()


def test_probes_of_one_port_share_a_listener_and_others_have_their_own() -> None:
    pod = pod_with(
        {
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
            "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
            "startupProbe": {"httpGet": {"path": "/live", "port": 8080, "scheme": "HTTPS"}},
        },
        {"readinessProbe": {"tcpSocket": {"port": 8080}}, "livenessProbe": {"httpGet": {"path": "/x", "port": 8080}}},
    )
    assert asked(pod) == [
        (15100, Protocol.HTTP, 8080, ("/ready", "/live", "/x")),
        (15101, Protocol.HTTPS, 8080, ("/live",)),
        (15102, Protocol.TCP, 8080, ("/tcp",)),
    ]


def test_a_listeners_port_is_none_that_the_application_has() -> None:
    pod = pod_with(
        {"ports": [{"containerPort": 15100}], "readinessProbe": {"httpGet": {"port": 15101}}},
        {"ports": [{"containerPort": 15103}], "livenessProbe": {"tcpSocket": {"port": 80}}},
    )
    assert [port for port, _ in rewriting(pod).listening] == [15102, 15104]


def test_a_named_port_is_one_of_the_same_container() -> None:
    pod = pod_with(
        {"ports": [{"name": "http", "containerPort": 80}], "readinessProbe": {"httpGet": {"port": "http"}}},
        {"ports": [{"name": "http", "containerPort": 90}], "readinessProbe": {"tcpSocket": {"port": "http"}}},
    )
    assert [(backend, port) for _, backend, port, _ in asked(pod)] == [(Protocol.HTTP, 80), (Protocol.TCP, 90)]


@pytest.mark.parametrize("kind", ["httpGet", "tcpSocket"])
def test_a_port_whose_name_nobody_has_is_left_alone_with_a_warning_and_the_others_are_not(
    kind: str, review_of: Callable[..., bytes], answer: Callable[..., Response]
) -> None:
    containers = [
        {
            "name": "app",
            "ports": [{"name": "http", "containerPort": 80}],
            "readinessProbe": {kind: {"port": "web"}},
            "livenessProbe": {kind: {"port": "http"}},
        },
        {"name": "bare", "lifecycle": {"preStop": {"httpGet": {"port": "x"}}}},
    ]
    response = answer(review_of({"spec": {"containers": containers}}))
    assert response.allowed
    left = "is left as it is: no port of the container has the name"
    assert response.warnings == (
        f"spec.containers[0].readinessProbe.{kind}.port {left} 'web' (http)",
        f"spec.containers[1].lifecycle.preStop.httpGet.port {left} 'x' (it names none)",
    )
    assert response.patch is not None
    changed = [each["path"] for each in json.loads(response.patch) if "Probe" in each["path"]]
    assert changed
    assert all(path.startswith("/spec/containers/0/livenessProbe/") for path in changed)


def starting_with(*init: dict[str, Any]) -> Pod:
    listed = [{"name": f"init-{number}", "restartPolicy": "Always", **each} for number, each in enumerate(init)]
    return msgspec.convert({"spec": {"containers": [{"name": "app"}], "initContainers": listed}}, Pod)


def test_what_starts_before_the_proxy_does_not_wait_for_it_to_be_asked() -> None:
    probes = {place: {"tcpSocket": {"port": 80}} for place in PLACES}
    hook = {"lifecycle": {"postStart": {"httpGet": {"port": 80}}}}
    pod = starting_with({**probes, **hook}, probes)
    found = rewriting(pod, Position("", "", early=1, held=True))
    paths = {operation.path.rpartition("/")[0] for operation in found.operations}
    assert paths == {
        "/spec/initContainers/0/readinessProbe",
        "/spec/initContainers/0/livenessProbe",
        *(f"/spec/initContainers/1/{place}" for place in PLACES),
    }
    left = [warning.partition(" is left as it is")[0] for warning in found.warnings]
    assert left == ["spec.initContainers[0].startupProbe", "spec.initContainers[0].lifecycle.postStart"]
    assert not rewriting(pod).warnings


def test_a_hook_that_may_run_before_a_regular_sidecar_does_is_warned_of() -> None:
    pod = pod_with({"lifecycle": {"postStart": {"httpGet": {"port": 80}}}})
    (warning,) = rewriting(pod, Position("", "", early=0, held=False)).warnings
    assert warning.startswith("spec.containers[0].lifecycle.postStart may fail at first")
    assert "proa.dev/hold" in warning


@pytest.mark.parametrize(
    ("handler", "field"),
    [
        ({"httpGet": {}}, "readinessProbe.httpGet.port: found nothing"),
        ({"httpGet": {"port": []}}, "readinessProbe.httpGet.port: found a list"),
        ({"tcpSocket": {}}, "readinessProbe.tcpSocket.port: found nothing"),
        ({"tcpSocket": {"port": {}}}, "readinessProbe.tcpSocket.port: found a mapping"),
        ({"grpc": {"port": "9000"}}, "readinessProbe.grpc.port: found text"),
    ],
)
def test_a_probe_of_another_shape_is_refused_by_its_field(
    handler: Any, field: str, review_of: Callable[..., bytes], answer: Callable[..., Response]
) -> None:
    response = answer(review_of({"spec": {"containers": [{"name": "app", "readinessProbe": handler}]}}))
    assert response.status is not None
    assert f"spec.containers[0].{field}" in response.status.message


def test_more_ports_than_there_is_room_for_are_refused() -> None:
    def probed(number: int) -> dict[str, Any]:
        return {"readinessProbe": {"tcpSocket": {"port": number + 1}}}

    assert len(rewriting(pod_with(*map(probed, range(100)))).listening) == 100
    (problem,) = rewriting(pod_with(*map(probed, range(101)))).problems
    assert (problem.field, problem.found) == ("spec", "probes of 101 ports")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        # What Go 1.26's net/url made of them, in the steps of Kubernetes 1.37's pkg/probe/http.
        ("/health", "/health"),
        ("/health?x=1&y=%20z", "/health?x=1&y=%20z"),
        ("health", "/health"),
        ("", "/"),
        ("?x=1", "/?x=1"),
        ("/a b", "/a%20b"),
        ("/ä", "/%C3%A4"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%zz?x=1#f", "/a%25zz%3Fx=1%23f"),
        ("/#/health", "/"),
        ("//foo/bar", "/bar"),
        ("//foo", "/"),
        ("http://foo/bar?z", "/bar?z"),
        ("/a?", "/a?"),
        ("/a//b", "/a//b"),
        ('/[x]/{y}|\\^`<>"', "/%5Bx%5D/%7By%7D%7C%5C%5E%60%3C%3E%22"),
        ("/a;b=c,d!$&'()*+=:@~-._", "/a;b=c,d!$&'()*+=:@~-._"),
        ("/tab\tq?x=1", "/tab%09q%3Fx=1"),
        ("/a?x#y?z", "/a?x"),
        ("/../x", "/../x"),
        ("/a%", "/a%25"),
        ("/%7e", "/%7e"),
    ],
)
def test_a_probes_path_is_asked_for_as_the_kubelet_asks(path: str, target: str) -> None:
    assert request_target(path) == target


@given(st.text(st.characters(codec="utf-8")))
def test_any_path_is_a_request_target(path: str) -> None:
    target = request_target(path)
    before = target.partition("?")[0]
    assert before.startswith("/")
    assert before.isascii()
    assert before.isprintable()
    assert " " not in before


def test_a_port_is_a_number_a_name_or_nobodys() -> None:
    declared = (ContainerPort(container_port=80, name="http"), ContainerPort(container_port=90))
    found = [port_number(port, declared) for port in (8080, "http", "8443", "https", "", "²")]
    assert found == [8080, 80, 8443, None, None, None]


@given(data=st.data())
def test_any_probe_leaves_everything_but_its_own_handler(
    data: st.DataObject,
    any_probed_pod: st.SearchStrategy[Any],
    review_of: Callable[..., bytes],
    answer: Callable[..., Response],
    patched: Callable[[Any, Response], Any],
) -> None:
    pod = data.draw(any_probed_pod)
    after = patched(pod, answer(review_of(pod)))
    listed = chain(
        zip(pod["spec"].get("initContainers") or [], after["spec"]["initContainers"][2:], strict=True),
        zip(pod["spec"]["containers"], after["spec"]["containers"], strict=True),
    )
    for before, now in listed:
        assert without_handlers(now) == without_handlers(before)


def without_handlers(container: Any) -> Any:
    """*container* without what may change in its probes and hooks."""
    result = copy.deepcopy(container)
    for asking in (*(result.get(place) for place in PLACES), *((result.get("lifecycle") or {}).get(h) for h in HOOKS)):
        for kind in ("httpGet", "grpc"):
            for member in ("port", "scheme") if asking and asking.get(kind) else ():
                asking[kind].pop(member, None)
        if asking and asking.get("httpGet") in ({"path": "/tcp"}, None):
            asking.pop("httpGet", None)
            asking.pop("tcpSocket", None)
    return result


def test_the_annotations_do_not_grow_with_the_probes_but_by_their_record(
    review_of: Callable[..., bytes], answer: Callable[..., Response], patched: Callable[[Any, Response], Any]
) -> None:
    def size(count: int) -> int:
        containers = [
            {"name": f"app-{number}", "livenessProbe": {"tcpSocket": {"port": number + 1}}} for number in range(count)
        ]
        pod = {"spec": {"containers": containers or [{"name": "app"}]}}
        annotations = patched(pod, answer(review_of(pod)))["metadata"]["annotations"]
        return sum(len(key) + len(value) for key, value in annotations.items())

    # 256 KiB are all annotations of an object; 100 probes are the most there can be.
    assert size(100) - size(0) < 8 * 1024
    assert size(100) < 32 * 1024
