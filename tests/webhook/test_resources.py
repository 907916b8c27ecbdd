import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.containers import Resources
from proa.errors import Invalid
from proa.quantity import amount
from webhook.resources import resources
from webhook.wishes import ORDINARY, PodSettings

DEFAULTS = Resources(requests={"cpu": "50m", "memory": "64Mi"}, limits={"memory": "512Mi", "example.com/nic": "1"})


def given_by(**asked: str) -> Resources:
    settings = PodSettings(quantities=tuple((name.replace("_", "-"), value) for name, value in asked.items()))
    return resources("proxy", DEFAULTS, settings)


def test_who_asks_for_nothing_has_the_defaults() -> None:
    assert resources("proxy", DEFAULTS, ORDINARY) == DEFAULTS


def test_each_quantity_is_set_by_itself_and_none_removes_a_default() -> None:
    assert given_by(proxy_cpu_limit="2", init_cpu_limit="9").limits == {**DEFAULTS.limits, "cpu": "2"}
    assert given_by(proxy_cpu_limit="2").requests == DEFAULTS.requests
    assert given_by(proxy_memory_limit="none").limits == {"example.com/nic": "1"}
    assert given_by(proxy_cpu_request="none", proxy_ephemeral_storage_request="1Gi").requests == {
        "memory": "64Mi",
        "ephemeral-storage": "1Gi",
    }


def test_a_default_request_gives_way_to_a_lower_limit() -> None:
    assert given_by(proxy_memory_limit="32Mi") == Resources(
        requests={"cpu": "50m", "memory": "32Mi"}, limits={**DEFAULTS.limits, "memory": "32Mi"}
    )


def test_a_request_above_its_limit_is_refused_by_the_annotation() -> None:
    with pytest.raises(Invalid) as refused:
        given_by(proxy_memory_request="1Gi")
    assert str(refused.value) == (
        "metadata.annotations['proa.dev/proxy-memory-request']: found '1Gi', allowed: at most its limit, 512Mi"
    )


def test_a_pod_with_resources_of_its_own_gets_what_it_asks_for_and_no_defaults() -> None:
    settings = PodSettings(pod_resources=True, quantities=(("proxy-memory-limit", "100Mi"),))
    assert resources("proxy", DEFAULTS, settings) == Resources(limits={"memory": "100Mi"})
    assert resources("init", DEFAULTS, settings) == Resources()


quantities = st.sampled_from(["none", "10m", "1", "1Gi", "512Mi"])


@given(st.dictionaries(st.sampled_from(["cpu", "memory"]).map(lambda name: f"proxy-{name}-limit"), quantities))
def test_limits_alone_never_make_what_the_api_server_refuses(asked: dict[str, str]) -> None:
    made = resources("proxy", DEFAULTS, PodSettings(quantities=tuple(asked.items())))
    for name, request in made.requests.items():
        assert amount(request) <= amount(made.limits.get(name, request))
