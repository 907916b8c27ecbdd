"""Templates are tried on pods before their configuration comes into force."""

import pytest
from hypothesis import given

from proa.errors import Refused
from proa.mesh import MeshConfiguration, mesh_configuration
from proa.partial import PartialPod
from support.partials import PARTIAL
from webhook.trial import attempt, tried_configuration


def problems(document: str) -> dict[str, str]:
    with pytest.raises(Refused) as refused:
        tried_configuration(document)
    return {each.field: each.found for each in refused.value.problems}


def template(partial: str) -> str:
    return f"templates: {{bad: {partial}}}"


@pytest.mark.parametrize(
    ("partial", "field"),
    [
        (
            "{spec: {containers: [{name: x, volumeMounts: [{mountPath: /x}]}]}}",
            "spec.containers[0].volumeMounts[0].name",
        ),
        (
            "{spec: {containers: [{name: '*', ports: [{containerPort: 15001}]}]}}",
            "spec.containers[0].ports[0].container",
        ),
        ("{metadata: {annotations: {proa.dev/log-level: loud}}}", "metadata.annotations['proa.dev/log-level']"),
        ("{spec: {initContainers: [{name: x, restartPolicy: Always, startupProbe: {httpGet: {}}}]}}", "spec.initCont"),
        ("{spec: {terminationGracePeriodSeconds: soon}}", "spec.terminationGracePeriodSeconds"),
        ("{spec: {containers: [{name: proa-proxy, $patch: delete}]}}", "templates.bad"),
    ],
)
def test_what_no_pod_can_be_injected_with_is_refused_with_its_place(partial: str, field: str) -> None:
    mesh = template(partial)
    found = problems(mesh)
    assert any(field in each for each in found), found
    assert all("templates.bad" in each for each in found), found


@pytest.mark.parametrize(
    "partial",
    [
        "{spec: {os: {name: windows}}}",
        "{metadata: {labels: {sidecar.istio.io/inject: 'false'}}}",
        "{metadata: {annotations: {sidecar.istio.io/inject: 'false'}}}",
    ],
)
def test_no_template_makes_a_pod_that_would_be_left_when_it_is_asked_about_again(partial: str) -> None:
    # It would keep a sidecar that nobody renews, or have one in spite of a rule that nobody's wish mends.
    (found,) = problems(f"{template(partial)}\nvocabulary: istio")
    assert found == "templates.bad, over a sample pod.the pod"


def test_a_template_may_keep_istios_own_injector_away() -> None:
    tried_configuration(template("{metadata: {labels: {sidecar.istio.io/inject: 'false'}}}"))


def test_every_template_is_tried_and_what_is_wrong_is_told_once() -> None:
    bad = "{spec: {containers: [{name: '*', ports: [{containerPort: 15001}]}]}}"
    found = problems(f"templates: {{one: {bad}, two: {bad}}}")
    assert [each.split(",")[0] for each in found] == ["templates.one", "templates.two"]


def test_defaults_are_tried_together() -> None:
    place = "{metadata: {annotations: {proa.dev/termination-drain: 5s}}}"
    request, limit = (
        f"{{metadata: {{annotations: {{proa.dev/proxy-cpu-{side}: '{cpu}'}}}}}}"
        for side, cpu in (("request", 2), ("limit", 1))
    )
    fine = f"templates: {{place: {place}, more: {request}, less: {limit}}}"
    tried_configuration(f"{fine}\ndefaultTemplates: [place]\n")
    assert any("defaultTemplates" in each for each in problems(f"{fine}\ndefaultTemplates: [more, less]\n"))


@pytest.mark.parametrize(
    "rest",
    [
        "injection: {never: {pods: {matchLabels: {a: b}}}}",
        "neverInjectNamespaces: [sample]",
        "injection: {enforce: [sample]}",
        "vocabulary: istio",
        "defaultTemplates: [fine, gateway]",
    ],
)
def test_a_template_for_containers_that_a_pod_may_have_is_fine_whoever_is_injected(rest: str) -> None:
    fine = """
    templates:
      fine:
        metadata: {annotations: {proa.dev/place: "after:vault"}}
        spec:
          containers: [{name: web, env: [{name: A, value: b}]}, {name: "*", volumeMounts: [{name: x, mountPath: /x}]}]
          initContainers: [{name: setup, args: null}, {name: "*", env: [{name: A, value: b}]}]
          volumes: [{name: x, emptyDir: {}}]
          tolerations: [{operator: Exists}]
    """
    document = f"{fine}\n    {rest}\n"
    assert tried_configuration(document) == mesh_configuration(document)


@given(PARTIAL)
def test_any_template_is_refused_by_its_name_or_injects(partial: dict[str, dict[str, object]]) -> None:
    try:
        template = PartialPod(metadata=partial.get("metadata") or {}, spec=partial.get("spec") or {})
    except Refused:
        return
    configuration = MeshConfiguration(templates={"any": template}, default_templates=("any",))
    try:
        attempt(configuration)
    except Refused as refused:
        found = refused.problems
    else:
        found = ()
    assert all(each.field.startswith(("templates.any", "defaultTemplates")) for each in found)
