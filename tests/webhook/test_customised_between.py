"""What another webhook does between the two calls of one pod is as if it had been there before templates were laid."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.mesh import MeshConfiguration, mesh_configuration
from support.injecting import assert_same, decided, in_list, injected, uninjected
from webhook.difference import touched

EVERY = 'containers: [{name: "*", env: [{name: NEW, value: x}]}]'
SPECS = [
    f"nodeSelector: {{$patch: delete}}, {EVERY}",
    f"nodeSelector: {{$patch: replace, x: y}}, {EVERY}",
    f"nodeSelector: null, {EVERY}",
    f"volumes: [{{name: v, $patch: delete}}], {EVERY}",
    f"volumes: [{{$patch: replace}}, {{name: q}}], {EVERY}",
    f"initContainers: [{{name: setup, $patch: delete}}], {EVERY}",
    f'tolerations: [{{key: x}}], "$deleteFromPrimitiveList/imagePullSecrets": [{{name: pull}}], {EVERY}',
    'containers: [{name: "*", resources: {$patch: delete}}]',
    'containers: [{name: "*", resources: {limits: {$patch: delete}}}]',
    'containers: [{name: "*", lifecycle: {preStop: {$patch: delete}}}]',
    'containers: [{name: "*", lifecycle: {preStop: {exec: {$deleteFromPrimitiveList/command: [a]}}}}]',
    'containers: [{name: "*", env: [{name: A, $patch: delete}]}]',
    'containers: [{name: "*", env: [{$patch: replace}, {name: NEW}]}]',
    'containers: [{name: "*", env: null}]',
    'containers: [{name: "*", env: [{name: A, value: null, valueFrom: {fieldRef: {fieldPath: x}}}]}]',
    'containers: [{name: "*", env: [{name: NEW}]}, {name: app, $patch: delete}, {name: other, image: x}]',
]


def template(spec: str) -> MeshConfiguration:
    return mesh_configuration(f"templates: {{t: {{metadata: {{labels: {{tier: x}}}}, spec: {{{spec}}}}}}}")


def container(name: str) -> Any:
    return {
        "name": name,
        "image": "web:1",
        "resources": {"limits": {"cpu": "1"}},
        "env": [{"name": "A", "value": name}, {"name": "B", "value": name}],
        "lifecycle": {"preStop": {"exec": {"command": ["a", name]}}},
    }


@pytest.fixture
def pod() -> Any:
    spec = {
        "containers": [container("app")],
        "initContainers": [{"name": "setup"}, {"name": "second"}],
        "volumes": [{"name": "v"}, {"name": "w"}],
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "t"}],
        "imagePullSecrets": [{"name": "pull"}],
    }
    return {"metadata": {"annotations": {names.TEMPLATES: "t"}, "labels": {"tier": "web"}}, "spec": spec}


@pytest.mark.parametrize("spec", SPECS)
def test_a_container_that_came_between_is_as_if_it_had_been_there_whatever_the_template_takes_away(
    pod: Any, spec: str
) -> None:
    configuration = template(spec)
    between, before = injected(pod, configuration), copy.deepcopy(pod)
    for each in (between, before):
        each["spec"]["containers"].append(container("later"))
    found = injected(between, configuration)
    assert_same(found, injected(before, configuration))
    assert_same(uninjected(found), before)
    assert decided(found, configuration).operations == ()


AMBIGUOUS = (
    "hostAliases: [{ip: 10.0.0.9, hostnames: [new]}], topologySpreadConstraints: [{topologyKey: new}],"
    'containers: [{name: "*", env: [{name: NEW, value: x}, {name: A, value: y}], ports: [{containerPort: 9}]}]'
)


def keyed(key: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists of few keys, so that two items often have the same."""
    return st.lists(st.fixed_dictionaries({key: values, "other": st.integers(0, 3)}), max_size=4)


@given(
    keyed("name", st.sampled_from(["A", "B", "NEW"])),
    keyed("containerPort", st.sampled_from([9, 53])),
    keyed("ip", st.sampled_from(["10.0.0.1", "10.0.0.9"])),
    keyed("topologyKey", st.sampled_from(["zone", "new"])),
)
def test_it_is_so_where_the_keys_of_a_list_do_not_tell_its_items_apart(
    env: Any, ports: Any, aliases: Any, constraints: Any
) -> None:
    configuration = template(AMBIGUOUS)
    app = {"name": "app", "image": "web:1", "env": env, "ports": ports}
    spec = {"containers": [app], "hostAliases": aliases, "topologySpreadConstraints": constraints}
    before: Any = {"metadata": {"annotations": {names.TEMPLATES: "t"}}, "spec": spec}
    between = injected(before, configuration)
    before = copy.deepcopy(before)
    for each in (between, before):
        each["spec"]["containers"].append(container("later"))
    found = injected(between, configuration)
    assert_same(found, injected(before, configuration))
    assert_same(uninjected(found), before)


def test_what_came_between_where_templates_changed_nothing_yet_is_laid_over_too(pod: Any) -> None:
    configuration = template("nodeSelector: {zone: null}, tolerations: null")
    pod["spec"] |= {"nodeSelector": {"a": "b"}}
    del pod["spec"]["tolerations"]
    between = injected(pod, configuration)
    between["spec"]["nodeSelector"]["zone"] = "x"
    between["spec"]["tolerations"] = [{"key": "later"}]
    found = injected(between, configuration)
    assert found["spec"]["nodeSelector"] == {"a": "b"}
    assert "tolerations" not in found["spec"]


def test_a_template_without_labels_makes_no_metadata(pod: Any) -> None:
    configuration = mesh_configuration("templates: {t: {spec: {priority: 1}}}\ndefaultTemplates: [t]")
    del pod["metadata"]
    between = injected(pod, configuration)
    for each in (between, pod):
        each["spec"]["containers"].append(container("later"))
    assert_same(uninjected(injected(between, configuration)), pod)


def test_each_container_is_none_that_the_template_takes_away(pod: Any) -> None:
    made = injected(pod, template(SPECS[-1]))
    assert [each["name"] for each in made["spec"]["containers"]] == ["other"]
    assert in_list(made, "containers", "other") == {"name": "other", "image": "x"}


@pytest.mark.parametrize(
    "record",
    [
        {"in": {"spec": {"by": "name", "in": [["x", {}]]}}},
        {"in": {"spec": {"in": {"containers": 5}}}},
        {"in": {"spec": {"in": {"containers": {"by": "name", "in": 5, "absent": [[]]}}}}},
        {"in": []},
    ],
)
def test_of_what_is_no_record_nothing_was_touched(record: Any) -> None:
    assert touched(record, "spec", "containers") == ()
