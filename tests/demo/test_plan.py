"""A pod's spec turned into processes: order, environment, privileges, mounts."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.plan import App, Bind, Process, Sandbox, Sidecar, ToCompletion, capabilities, process, steps
from demo.pod import Capabilities, Pod, SecurityContext, field_value, parsed_pod, port_number
from proa.errors import Invalid

ADDRESSES = ("10.0.0.7", "fd00::7")
PROBE = {"httpGet": {"path": "/ready", "port": 15021}}


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = ()) -> Pod:
    spec = {"containers": list(containers), "initContainers": list(init), "serviceAccountName": "web"}
    metadata = {"name": "web", "namespace": "shop", "annotations": {"note": "hello"}}
    return parsed_pod({"metadata": metadata, "spec": spec})


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "app", "image": "any", "command": ["true"], **fields}


def planned(**fields: Any) -> Process:
    subject = pod(container(**fields))
    sandbox = Sandbox(subject, ADDRESSES, {"data": Path("/node/data")}, (Bind(Path("/image"), "/opt", read_only=True),))
    return process(subject.spec.containers[0], sandbox)


def test_init_containers_run_to_completion_sidecars_are_waited_for_and_apps_come_last() -> None:
    first, sidecar = container(name="init"), container(name="proxy", restartPolicy="Always", startupProbe=PROBE)
    kinds = [(type(step), step.container.name) for step in steps(pod(container(), init=(first, sidecar)))]
    assert kinds == [(ToCompletion, "init"), (Sidecar, "proxy"), (App, "app")]


def test_a_sidecar_without_a_startup_probe_is_refused() -> None:
    with pytest.raises(Invalid, match="startupProbe"):
        steps(pod(container(), init=(container(restartPolicy="Always"),)))


def test_variables_are_filled_in_from_the_environment_and_the_downward_api() -> None:
    env = [
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "GREETING", "value": "hello $(NAME)"},
    ]
    made = planned(env=env, args=["$(GREETING)", "$(UNKNOWN)", "$$(NAME)", "$NAME"])
    assert made.argv == ("true", "hello web", "$(UNKNOWN)", "$(NAME)", "$NAME")
    assert made.env["GREETING"] == "hello web"


@given(st.text(alphabet=st.characters(exclude_characters="$")))
def test_text_without_a_dollar_is_never_changed(text: str) -> None:
    assert planned(args=[text]).argv == ("true", text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.namespace", "shop"),
        ("spec.serviceAccountName", "web"),
        ("status.podIP", "10.0.0.7"),
        ("status.podIPs", "10.0.0.7,fd00::7"),
        ("metadata.annotations['note']", "hello"),
    ],
)
def test_the_downward_api_answers_what_the_kubelet_does(path: str, value: str) -> None:
    assert field_value(pod(container()), path, ADDRESSES) == value


def test_a_field_that_the_demo_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match=r"spec\.nodeName"):
        field_value(pod(container()), "spec.nodeName", ADDRESSES)


def test_dropping_all_and_adding_one_leaves_one() -> None:
    assert capabilities(SecurityContext(capabilities=Capabilities(add=("NET_ADMIN",), drop=("ALL",)))) == ("net_admin",)


def test_a_container_that_asks_for_nothing_has_the_runtimes_capabilities_and_not_more() -> None:
    kept = capabilities(SecurityContext())
    assert "chown" in kept
    assert "net_admin" not in kept
    assert "chown" not in capabilities(SecurityContext(capabilities=Capabilities(drop=("CHOWN",))))


def test_mounts_come_after_what_every_container_sees() -> None:
    made = planned(volumeMounts=[{"name": "data", "mountPath": "/srv", "readOnly": True}])
    assert made.binds == (
        Bind(Path("/image"), "/opt", read_only=True),
        Bind(Path("/node/data"), "/srv", read_only=True),
    )


def test_a_mount_of_a_volume_that_is_not_there_is_refused() -> None:
    with pytest.raises(Invalid, match="elsewhere"):
        planned(volumeMounts=[{"name": "elsewhere", "mountPath": "/srv"}])


def test_a_probe_may_name_its_containers_port() -> None:
    named = pod(container(ports=[{"name": "http", "containerPort": 8080}])).spec.containers[0]
    assert port_number("http", named) == 8080
    assert port_number(9090, named) == 9090
    with pytest.raises(Invalid, match="grpc"):
        port_number("grpc", named)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["metadata", "spec", "containers"]), inner),
    )
)
def test_any_document_is_a_pod_or_refused(document: object) -> None:
    with contextlib.suppress(Invalid):
        assert parsed_pod(document).spec.containers is not None
