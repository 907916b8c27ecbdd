"""The section that says who is injected is read whole, or refused with everything that is wrong."""

import pytest

from proa.errors import Refused
from proa.injection import Injection, Operator, Policy, Requirement, Selector, Selectors, Unusable
from proa.mesh import mesh_configuration


def problems(document: str) -> list[str]:
    with pytest.raises(Refused) as refused:
        mesh_configuration(document)
    return [str(each) for each in refused.value.problems]


def test_every_field_can_be_set() -> None:
    document = """
injection:
  policy: enabled
  unusable: warn
  enforce: [payments]
  never: {pods: {matchLabels: {app: legacy}}}
  always: {namespaces: {matchExpressions: [{key: example.com/team, operator: In, values: [web, ""]}]}}
  owners: {Job: disabled, CloneSet.apps.kruise.io: enabled}
  serviceAccounts: {shop/batch: disabled}
"""
    assert mesh_configuration(document).injection == Injection(
        policy=Policy.ENABLED,
        unusable=Unusable.WARN,
        enforce=("payments",),
        never=Selectors(pods=Selector(match_labels={"app": "legacy"})),
        always=Selectors(
            namespaces=Selector(
                match_expressions=(Requirement(key="example.com/team", operator=Operator.IN, values=("web", "")),)
            )
        ),
        owners={"Job": Policy.DISABLED, "CloneSet.apps.kruise.io": Policy.ENABLED},
        service_accounts={"shop/batch": Policy.DISABLED},
    )


@pytest.mark.parametrize("selector", ["{}", "{matchLabels: {}}", "{matchExpressions: []}"])
def test_an_empty_selector_is_refused_as_it_would_take_everything(selector: str) -> None:
    for place in ("never: {pods: %s}", "never: {namespaces: %s}", "always: {pods: %s}"):
        (problem,) = problems(f"injection: {{{place % selector}}}")
        assert "an empty selector, which would take everything" in problem


def test_a_selector_that_is_null_is_absent() -> None:
    assert mesh_configuration("injection: {never: {pods: null}}").injection == Injection()


def test_every_mistake_is_told_at_once_by_its_path() -> None:
    found = problems("""
injection:
  policy: yes
  unusable: ignore
  enforce: [shop, Shop]
  never:
    pods:
      matchLabels: {a b: c, d: [e]}
      matchExpressions:
      - {key: a, operator: In}
      - {key: b, operator: Exists, values: [x]}
      - {key: c, operator: GreaterThan, values: ["1"]}
      - {}
  owners: {job: disabled, Job: sometimes}
  serviceAccounts: {batch: disabled}
""")
    assert [each.split(": ")[0].removeprefix("injection.") for each in found] == [
        "policy",
        "unusable",
        "enforce.1",
        "never.pods.matchLabels.a b",
        "never.pods.matchLabels.d",
        "never.pods.matchExpressions.0.values",
        "never.pods.matchExpressions.1.values",
        "never.pods.matchExpressions.2.operator",
        "never.pods.matchExpressions.3.key",
        "never.pods.matchExpressions.3.operator",
        "owners.job",
        "owners.Job",
        "serviceAccounts.batch",
    ]


@pytest.mark.parametrize("name", ["kube-system", "proa-system"])
def test_a_namespace_cannot_be_injected_always_and_never(name: str) -> None:
    (problem,) = problems(f"injection: {{enforce: [{name}]}}")
    assert problem.startswith(f"injection.enforce: found '{name}'")
