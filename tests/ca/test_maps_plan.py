"""What is due makes exactly the namespaces that asked have the roots, and touches nobody else's map."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from ca.authority import new_root
from ca.certificates import pem
from ca.maps.plan import Kept, Publish, Refuse, Remove, asks, config_map, kept, maps_due, tells, told_everywhere
from proa.identity import TrustDomain
from proa.json import Json
from proa.mesh import MeshConfiguration, mesh_configuration

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = st.sampled_from(["a", "b", "c", "d"])
DATA = {"root-cert.pem": "now"}
MAPS = st.builds(Kept, st.booleans(), st.sampled_from([DATA, {}, {"root-cert.pem": "before"}]))


def carried_out(wanted: set[str], found: dict[str, Kept]) -> dict[str, Kept]:
    after = dict(found)
    for step in maps_due(wanted, found, DATA):
        match step:
            case Publish(namespace):
                after[namespace] = kept(config_map(namespace, "proa-roots", DATA))
            case Remove(namespace):
                del after[namespace]
            case Refuse():
                pass
    return after


@given(st.sets(NAMES), st.dictionaries(NAMES, MAPS))
def test_after_what_is_due_only_refusals_are_due(wanted: set[str], found: dict[str, Kept]) -> None:
    after = carried_out(wanted, found)
    assert all(isinstance(step, Refuse) for step in maps_due(wanted, after, DATA))
    assert {name for name, each in after.items() if each.ours} <= wanted
    assert all(after[name].data == DATA for name in wanted if after[name].ours)
    assert {name: each for name, each in found.items() if not each.ours}.items() <= after.items()


@given(st.sets(NAMES), st.dictionaries(NAMES, MAPS))
def test_what_is_as_it_should_be_is_written_no_more(wanted: set[str], found: dict[str, Kept]) -> None:
    for step in maps_due(wanted, found, DATA):
        there = found.get(step.namespace)
        assert not (isinstance(step, Publish) and there is not None and there.data == DATA)


def labelled(name: str = "shop", phase: str = "Active", **labels: str) -> Json:
    return {"metadata": {"name": name, "labels": dict(labels)}, "status": {"phase": phase}}


ISTIO = mesh_configuration("vocabulary: istio")
PLAIN = MeshConfiguration()


@pytest.mark.parametrize(
    ("namespace", "mesh", "expected"),
    [
        (labelled(), PLAIN, False),
        (labelled(**{"proa.dev/inject": "enabled"}), PLAIN, True),
        (labelled(**{"proa.dev/inject": "true"}), PLAIN, True),
        (labelled(**{"proa.dev/inject": "yes"}), PLAIN, False),
        (labelled(**{"proa.dev/inject": "enabled", "proa.dev/roots-map": "disabled"}), PLAIN, False),
        (labelled(**{"proa.dev/inject": "disabled", "proa.dev/roots-map": "enabled"}), PLAIN, True),
        (labelled(**{"istio-injection": "enabled"}), PLAIN, False),
        (labelled(**{"istio-injection": "enabled"}), ISTIO, True),
        (labelled(**{"istio-injection": "disabled", "istio.io/rev": "x"}), ISTIO, False),
        (labelled(**{"istio.io/rev": "x"}), ISTIO, True),
        (labelled(**{"istio-injection": "enabled", "proa.dev/inject": "disabled"}), ISTIO, False),
        (labelled(), mesh_configuration("injection: {policy: enabled}"), True),
        (labelled(**{"proa.dev/inject": "disabled"}), mesh_configuration("injection: {policy: enabled}"), False),
        (labelled(), mesh_configuration("injection: {enforce: [shop]}"), True),
        (labelled("kube-system", **{"proa.dev/roots-map": "enabled"}), PLAIN, False),
        (labelled("proa-system", **{"proa.dev/roots-map": "enabled"}), PLAIN, False),
        (labelled(phase="Terminating", **{"proa.dev/inject": "enabled"}), PLAIN, False),
        ({"metadata": {"name": "shop"}}, PLAIN, False),
        ("no object", PLAIN, False),
    ],
)
def test_a_namespace_asks_by_its_own_label_or_by_being_injected(
    namespace: Json, mesh: MeshConfiguration, expected: bool
) -> None:
    assert asks(namespace, mesh) is expected


def test_a_root_is_told_everywhere_once_no_map_of_ours_lacks_it() -> None:
    first, second = (new_root(TrustDomain("cluster.local"), NOW).issuing.certificate for _ in range(2))
    both = Kept(ours=True, data={"root-cert.pem": pem(first, second)})
    one = Kept(ours=True, data={"root-cert.pem": pem(first)})
    theirs = Kept(ours=False, data={})

    def everywhere(wanted: list[str], found: dict[str, Kept]) -> list[x509.Certificate]:
        told = told_everywhere(wanted, found)
        return [root for root in (first, second) if all(tells(data, root) for data in told)]

    assert everywhere(["a", "b"], {"a": both, "b": both}) == [first, second]
    assert everywhere(["a", "b"], {"a": both, "b": one}) == [first]
    assert everywhere(["a", "b"], {"a": both}) == [first, second]
    assert everywhere(["a", "b"], {"a": both, "b": theirs}) == [first, second]
    assert everywhere([], {}) == [first, second]
