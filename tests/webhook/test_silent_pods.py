"""The authority gives roots to namespaces by `proa.namespaces`: it says of them what the webhook says of their pods."""

from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.injection import Injection, Operator, Policy, Requirement, Selector, Selectors, Unusable
from proa.mesh import MeshConfiguration, Vocabulary
from proa.namespaces import ISTIO_INJECTION, ISTIO_REVISION, OPT_IN, OPT_OUT, injects
from webhook.decision import Inject, Subject, decision
from webhook.pod import Container, Pod, PodSpec

SILENT = Pod(spec=PodSpec(containers=(Container(name="app"),)))
HOMES = st.sampled_from(["shop", "kube-system", names.SYSTEM_NAMESPACE])
LABELS = st.fixed_dictionaries(
    {},
    optional={
        names.INJECT: st.sampled_from([*OPT_IN, *OPT_OUT, "yes"]),
        ISTIO_INJECTION: st.sampled_from(["enabled", "disabled", ""]),
        ISTIO_REVISION: st.just("canary"),
        "team": st.sampled_from(["web", "infra"]),
    },
)
SELECTORS = st.builds(
    Selectors,
    namespaces=st.none()
    | st.sampled_from(
        [
            Selector(match_labels={"team": "web"}),
            Selector(match_expressions=(Requirement(key="team", operator=Operator.NOT_IN, values=("infra",)),)),
            Selector(match_expressions=(Requirement(key="team", operator=Operator.EXISTS),)),
            Selector(match_expressions=(Requirement(key="team", operator=Operator.DOES_NOT_EXIST),)),
        ]
    ),
)
MESHES = st.builds(
    MeshConfiguration,
    vocabulary=st.sampled_from(Vocabulary),
    injection=st.builds(
        Injection,
        policy=st.sampled_from(Policy),
        unusable=st.just(Unusable.WARN),
        enforce=st.sampled_from([(), ("shop",)]),
        never=SELECTORS,
        always=SELECTORS,
    ),
)


@given(HOMES, LABELS, MESHES)
def test_a_namespace_injects_what_the_webhook_injects_of_a_pod_that_says_nothing(
    home: str, labels: dict[str, str], mesh: MeshConfiguration
) -> None:
    assert injects(home, labels, mesh) is isinstance(decision(Subject(SILENT, home, labels, mesh)), Inject)
