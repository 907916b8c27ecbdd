from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.revised import asked
from installation.selectors import takes
from proa.mesh import MeshConfiguration, mesh_configuration
from webhook.entries import entries

PROA, ISTIO = MeshConfiguration(), mesh_configuration("vocabulary: istio")
BOTH = {"": ISTIO, "blue": ISTIO}
NAMESPACES = st.fixed_dictionaries(
    {},
    optional={
        "proa.dev/inject": st.sampled_from(["enabled", "disabled"]),
        "proa.dev/rev": st.just("blue"),
        "istio-injection": st.sampled_from(["enabled", "disabled"]),
        "istio.io/rev": st.sampled_from(["blue", "default", "gone"]),
    },
)
PODS = st.fixed_dictionaries(
    {}, optional={"proa.dev/inject": st.just("enabled"), "istio.io/rev": st.sampled_from(["blue", "default", "gone"])}
)


@pytest.mark.parametrize(
    ("namespace", "pod", "revision"),
    [
        ({}, {}, ""),
        ({"proa.dev/rev": "blue"}, {}, "blue"),
        ({"istio.io/rev": "blue"}, {}, "blue"),
        ({"istio.io/rev": "default"}, {"istio.io/rev": "blue"}, ""),
        ({}, {"istio.io/rev": "blue"}, "blue"),
        ({"istio-injection": "enabled", "istio.io/rev": "blue", "proa.dev/rev": "blue"}, {}, ""),
        ({"istio.io/rev": "blue", "proa.dev/inject": "enabled"}, {}, ""),
        ({"istio.io/rev": "blue"}, {"proa.dev/inject": "enabled"}, ""),
        ({"istio.io/rev": "gone", "proa.dev/rev": "blue"}, {}, "blue"),
    ],
)
def test_the_labels_that_opt_in_choose_the_revision(namespace: Any, pod: Any, revision: str) -> None:
    assert asked(namespace, pod, BOTH) == revision


@pytest.mark.parametrize("istio", [{"istio.io/rev": "blue"}, {"istio-injection": "enabled"}])
def test_istios_labels_choose_none_where_they_are_not_read(istio: Any) -> None:
    assert asked(istio | {"proa.dev/rev": "green"}, {}, {"": PROA, "blue": PROA, "green": PROA}) == "green"


@given(NAMESPACES, PODS)
def test_it_is_the_one_whose_registration_selects_the_pod(namespace: Any, pod: Any) -> None:
    # By labels alone: what asks by annotation, and what nobody asks for, is told by conditions.
    by_labels = ("pod-label", "namespace", "istio-namespace", "istio-revision", "istio-pod-revision")
    asking = {
        revision
        for revision, configuration in BOTH.items()
        for entry in entries(revision, configuration)
        if entry.name in by_labels
        and takes({"matchExpressions": [*entry.namespace]}, namespace)
        and takes({"matchExpressions": [*entry.pod]}, pod)
    }
    assert asking <= {asked(namespace, pod, BOTH)}
