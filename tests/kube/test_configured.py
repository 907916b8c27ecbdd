"""Which configuration is in force, whatever the ConfigMap becomes."""

from hypothesis import given
from hypothesis import strategies as st

from kube.configured import Configured, configured
from proa.digest import digest
from proa.json import Json
from proa.mesh import MeshConfiguration, PeerTls

GOOD: Json = {"data": {"mesh.yaml": "peerTls: strict\n"}}
STRICT = MeshConfiguration(peer_tls=PeerTls.STRICT)


def test_a_good_configuration_is_in_force() -> None:
    assert configured(Configured(), GOOD, "proa-system/proa") == Configured(STRICT, digest(b"peerTls: strict\n"))


def test_a_bad_one_leaves_the_last_good_one_in_force_and_says_every_mistake() -> None:
    bad: Json = {"data": {"mesh.yaml": "peerTls: strickt\ntrustDomain: ''\n"}}
    found = configured(Configured(STRICT, "its digest"), bad, "proa-system/proa")
    assert (found.current, found.document) == (STRICT, "its digest")
    assert "peerTls: found 'strickt'" in str(found.problem)
    assert "trustDomain: found" in str(found.problem)


def test_what_is_missing_is_named() -> None:
    for config_map, words in (
        (None, "the ConfigMap proa-system/proa: found nothing"),
        ({}, "the ConfigMap proa-system/proa, data: found nothing"),
        ({"data": {"mesh.yml": ""}}, "the ConfigMap proa-system/proa, data: found ['mesh.yml']"),
    ):
        found = configured(Configured(), config_map, "proa-system/proa")
        assert found.current is None
        assert str(found.problem).startswith(words)


MAPS = st.none() | st.just(GOOD) | st.builds(lambda text: {"data": {"mesh.yaml": text}}, st.text(max_size=40))


@given(st.lists(MAPS, max_size=6))
def test_there_is_a_problem_or_the_newest_is_in_force_and_nothing_takes_a_good_one_away(maps: list[Json]) -> None:
    state = Configured()
    for config_map in maps:
        before, state = state, configured(state, config_map, "proa")
        if state.problem is not None:
            assert state.current == before.current
        else:
            assert state == configured(Configured(), config_map, "proa")
