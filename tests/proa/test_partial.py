"""A template that could not be laid over a pod, or would break the sidecar, is refused with its path."""

from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Refused
from proa.mesh import MeshConfiguration, mesh_configuration
from proa.overlay import overlay
from proa.partial import PartialPod
from support.partials import PARTIAL, WHOLE


def fields(spec: Any = None, metadata: Any = None) -> list[str]:
    template = {key: value for key, value in (("spec", spec), ("metadata", metadata)) if value is not None}
    with pytest.raises(Refused) as refused:
        mesh_configuration(yaml.safe_dump({"templates": {"bad": template}}, sort_keys=False))
    return [problem.field.removeprefix("templates.bad.") for problem in refused.value.problems]


def container(**members: Any) -> Any:
    return {"containers": [{"name": "proa-proxy", **members}]}


AT = "spec.containers[0]"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"hostNetwork": True}, ["spec.hostNetwork"]),
        ({"serviceAccountName": "x"}, ["spec.serviceAccountName"]),
        ({"securityContext": {"runAsUser": 1337}}, ["spec.securityContext.runAsUser"]),
        ({"volumes": [{"name": "proa-identity", "emptyDir": {}}]}, ["spec.volumes[0].name"]),
        ({"volumes": [{"emptyDir": {}}, 5]}, ["spec.volumes[0].name", "spec.volumes[1]"]),
        ({"volumes": {"name": "x"}}, ["spec.volumes"]),
        ({"containers": None}, ["spec.containers"]),
        ({"containers": [{"$patch": "replace"}]}, [f"{AT}.name"]),
        ({"containers": [{"name": "A b"}]}, [f"{AT}.name"]),
        ({"containers": [{"name": "*", "$patch": "delete"}]}, [f"{AT}.$patch"]),
        ({"containers": [{"name": "x"}, {"name": "x"}]}, ["spec.containers[1].name"]),
        ({"containers": [{"name": "x", "image": 5, "args": "x"}]}, [f"{AT}.image", f"{AT}.args"]),
        ({"containers": [{"name": "x", "env": [{"value": "x"}]}]}, [f"{AT}.env[0].name"]),
        ({"containers": [{"name": "x", "ports": [{"containerPort": True}]}]}, [f"{AT}.ports[0].containerPort"]),
        ({"containers": [{"name": "x", "securityContext": {"runAsUser": 1337}}]}, [f"{AT}.securityContext.runAsUser"]),
        (
            {"containers": [{"name": "x", "volumeMounts": [{"name": "proa-identity", "mountPath": "/x"}]}]},
            [f"{AT}.volumeMounts[0].name"],
        ),
        (container(**{"$patch": "delete"}), [f"{AT}.$patch"]),
        (
            container(command=["x"], args=None, restartPolicy="Never"),
            [f"{AT}.{k}" for k in ("command", "args", "restartPolicy")],
        ),
        (container(securityContext=None), [f"{AT}.securityContext"]),
        (container(securityContext={"$patch": "replace"}), [f"{AT}.securityContext"]),
        (container(env=[{"$patch": "replace"}]), [f"{AT}.env"]),
        (container(env=[{"name": "POD_NAME", "$patch": "delete"}]), [f"{AT}.env[0].name"]),
        (
            {
                "initContainers": [
                    {"name": "proa-init", "securityContext": {"capabilities": {"add": []}, "runAsUser": 5}}
                ]
            },
            ["spec.initContainers[0].securityContext.runAsUser", "spec.initContainers[0].securityContext.capabilities"],
        ),
        ({"nodeSelector": {"$patch": "merge"}}, ["spec.nodeSelector.$patch"]),
        ({"$setElementOrder/containers": []}, ["spec.$setElementOrder/containers"]),
        ({"volumes": [{"name": "x", "$retainKeys": ["name"], "csi": {}}]}, ["spec.volumes[0].$retainKeys"]),
        ({"$patch": "replace"}, ["spec"]),
    ],
)
def test_a_template_is_refused_by_the_path_of_what_is_wrong(spec: Any, expected: list[str]) -> None:
    assert fields(spec) == expected


def test_labels_and_annotations_are_texts_and_none_that_decides_on_injection() -> None:
    metadata = {
        "labels": {"proa.dev/inject": "disabled", "count": 5},
        "annotations": {"proa.dev/status": "{}", "inject.istio.io/templates": "other"},
        "name": "x",
    }
    assert fields(metadata=metadata) == [
        "metadata.labels['proa.dev/inject']",
        "metadata.labels['count']",
        "metadata.annotations['proa.dev/status']",
        "metadata.annotations['inject.istio.io/templates']",
        "metadata.name",
    ]


def test_a_default_has_to_be_a_template() -> None:
    with pytest.raises(Refused) as refused:
        mesh_configuration("defaultTemplates: [nobody]")
    assert "sidecar, gateway" in str(refused.value)


def test_a_configuration_with_templates_is_kept_by_its_value() -> None:
    text = "templates: {a: {spec: {nodeSelector: {x: y}}}}"
    one, other = mesh_configuration(text), mesh_configuration(text)
    assert one == other
    assert hash(one) == hash(other)
    assert one != MeshConfiguration()


@given(WHOLE, PARTIAL)
def test_what_is_accepted_can_be_laid_over_any_pod(pod: Any, partial: Any) -> None:
    try:
        template = PartialPod(metadata=partial.get("metadata") or {}, spec=partial.get("spec") or {})
    except Refused:
        return
    overlay(pod, {"metadata": template.metadata, "spec": template.spec})


@given(data=st.data())
def test_any_json_is_a_template_or_refused(data: st.DataObject, any_json: st.SearchStrategy[Any]) -> None:
    keys = st.sampled_from(["containers", "initContainers", "volumes", "$patch", "securityContext", "hostNetwork"])
    items = st.fixed_dictionaries(
        {"name": st.sampled_from(["proa-proxy", "proa-init", "*", "x"])},
        optional=dict.fromkeys(("image", "args", "env", "volumeMounts", "ports", "$patch"), any_json),
    )
    spec = data.draw(st.dictionaries(keys, any_json | st.lists(items)))
    metadata = data.draw(st.dictionaries(st.sampled_from(["labels", "annotations", ""]), any_json))
    with suppress(Refused):
        PartialPod(metadata=metadata, spec=spec)
