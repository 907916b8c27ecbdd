"""What a token and its review prove; what is remembered; how often one may ask."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.istio.asked import Asked, PodToken
from ca.istio.limits import Limits, Rate
from ca.istio.memory import Memory
from ca.istio.quota import Quota, Rates
from ca.istio.token import hopeless, proven, question, shown_token
from ca.istio.verdict import Code, Refuse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AUDIENCES = ("istio-ca",)
CLAIMS = {
    "aud": ["other", "istio-ca"],
    "exp": NOW.timestamp() + 600,
    "kubernetes.io": {"namespace": "shop", "pod": {"name": "web-1", "uid": "u"}, "serviceaccount": {"name": "web"}},
}
EXTRA = {"pod-name": ["web-1"], "pod-uid": ["uid-1"], "node-name": ["node-1"], "credential-id": ["JTI=1"]}


def token(**claims: Any) -> str:
    body = json.dumps({**CLAIMS, **claims}).encode()
    return f"e30.{urlsafe_b64encode(body).decode().rstrip('=')}.sig"


def review(*, authenticated: bool = True, audiences: Any = ("istio-ca",), **user: Any) -> Any:
    extra = {f"authentication.kubernetes.io/{key}": value for key, value in user.pop("extra", EXTRA).items()}
    known = {
        "username": "system:serviceaccount:shop:web",
        "uid": "account-1",
        "groups": ["system:serviceaccounts"],
        "extra": extra,
        **user,
    }
    return {"status": {"authenticated": authenticated, "user": known, "audiences": list(audiences)}}


def test_a_review_names_the_pod_its_account_and_its_node() -> None:
    assert proven(review(), AUDIENCES) == PodToken("shop", "web", "account-1", "web-1", "uid-1", "node-1", "JTI=1")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (review(authenticated=False), "TokenRefused"),
        ({"status": {"error": "x"}}, "TokenRefused"),
        ({}, "TokenRefused"),
        (review(audiences=()), "OtherAudience"),
        (review(audiences=["kubernetes"]), "OtherAudience"),
        (review(username="system:node:node-1"), "NotAServiceAccount"),
        (review(username="system:serviceaccount:a:b:c"), "NotAServiceAccount"),
        (review(username="system:serviceaccount::web"), "NotAServiceAccount"),
        (review(groups=["system:authenticated"]), "NotAServiceAccount"),
        (review(extra={}), "TokenNotBound"),
        (review(extra={**EXTRA, "pod-uid": []}), "TokenNotBound"),
        (review(extra={**EXTRA, "pod-uid": ["a", "b"]}), "TokenNotBound"),
        (review(uid=""), "TokenNotBound"),
    ],
)
def test_anything_less_proves_nobody(answer: Any, reason: str) -> None:
    assert proven(answer, AUDIENCES) == Refuse(Code.UNAUTHENTICATED, reason)


def test_a_review_that_cannot_be_read_is_nobodys_fault() -> None:
    assert proven({"status": {"authenticated": "yes"}}, AUDIENCES) == Refuse(Code.UNAVAILABLE, "ReviewUnreadable")


def test_the_question_names_the_audiences() -> None:
    assert question("t", AUDIENCES) == {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": "t", "audiences": ["istio-ca"]},
    }


@pytest.mark.parametrize("header", ["Bearer t", "Istio t"])
def test_the_token_stands_behind_either_scheme(header: str) -> None:
    assert shown_token([header]) == "t"


@pytest.mark.parametrize(
    ("headers", "reason"), [([], "NoToken"), (["Basic t"], "NoToken"), (["Bearer a", "Bearer b"], "SeveralTokens")]
)
def test_there_is_one_token_or_none(headers: list[str], reason: str) -> None:
    assert shown_token(headers) == Refuse(Code.UNAUTHENTICATED, reason)


@pytest.mark.parametrize("audience", ["istio-ca", ["istio-ca"], ["x", "istio-ca"]])
def test_a_token_that_may_be_good_is_worth_a_question(audience: Any) -> None:
    assert hopeless(token(aud=audience), AUDIENCES, NOW) is None


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (token(aud="x"), "OtherAudience"),
        (token(aud=[]), "OtherAudience"),
        (token(exp=NOW.timestamp() - 61), "TokenExpired"),
        (token(**{"kubernetes.io": {"namespace": "shop"}}), "TokenNotBound"),
        (token(exp="soon"), "NotAToken"),
        ("a.b", "NotAToken"),
        (f"a.{urlsafe_b64encode(b'[' * 9000).decode()}.c", "NotAToken"),
        ("x" * 20_000, "TokenTooLong"),
    ],
)
def test_a_token_that_says_itself_that_it_is_none_for_us_is_not_asked_about(shown: str, reason: str) -> None:
    assert hopeless(shown, AUDIENCES, NOW) == Refuse(Code.UNAUTHENTICATED, reason)


def test_a_clock_a_minute_ahead_refuses_nobody() -> None:
    assert hopeless(token(exp=NOW.timestamp() - 59), AUDIENCES, NOW) is None


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: f"a.{urlsafe_b64encode(raw).decode()}.c"))
def test_whatever_comes_as_a_token_is_refused_or_asked_about(shown: str) -> None:
    found = hopeless(shown, AUDIENCES, NOW)
    assert found is None or found.code is Code.UNAUTHENTICATED


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.0, 3.0)), max_size=60),
)
def test_in_no_stretch_of_time_more_pass_than_the_rate_allows(burst: int, asking: list[tuple[str, float]]) -> None:
    limits, now, passed = Limits(Rate(burst, 1.0)), 0.0, list[tuple[str, float]]()
    for key, pause in asking:
        now += pause
        wait = limits.wait(key, now)
        if wait == 0.0:
            passed.append((key, now))
        else:
            assert 0 < wait <= 1.0 + 1e-6
    for key in "ab":
        times = [when for who, when in passed if who == key]
        for first in range(len(times)):
            for last in range(first, len(times)):
                assert last - first + 1 <= burst + (times[last] - times[first]) / 1.0 + 1e-6


def test_who_waits_as_long_as_told_may_go_on() -> None:
    limits = Limits(Rate(1, 10.0))
    assert limits.wait("a", 5.0) == 0.0
    assert limits.wait("a", 8.0) == 7.0
    assert limits.wait("a", 15.0) == 0.0


@given(st.lists(st.integers(0, 50), max_size=100), st.integers(1, 8))
def test_no_number_of_keys_takes_more_room_than_there_is(keys: list[int], capacity: int) -> None:
    limits, memory = Limits(Rate(1, 1.0), capacity), Memory[int, int](capacity)
    for now, key in enumerate(keys):
        limits.wait(key, float(now))
        memory.put(key, now, now + 1.0)
        assert memory.get(key, float(now)) == now
        assert max(len(limits), len(memory)) <= capacity


def test_what_is_remembered_is_forgotten_when_its_time_is_over() -> None:
    memory = Memory[str, int](2)
    memory.put("a", 1, 10.0)
    assert (memory.get("a", 9.9), memory.get("a", 10.0), len(memory)) == (1, None, 0)


PROXIES = ("mesh/ztunnel",)


def test_a_pod_is_counted_by_itself_and_a_proxy_by_its_node() -> None:
    quota = Quota(Rates(pod=Rate(1, 10.0), node=Rate(3, 10.0)))
    one = PodToken("shop", "web", "a", "web-1", "uid-1", "node-1")
    proxy = PodToken("mesh", "ztunnel", "b", "ztunnel-1", "uid-2", "node-1")
    assert quota.refusal(Asked(b""), one, PROXIES, 0.0) is None
    again = quota.refusal(Asked(b""), one, PROXIES, 0.0)
    assert again is not None
    assert (again.code, again.reason, again.after) == (Code.RESOURCE_EXHAUSTED, "PodTooOften", 10.0)
    assert quota.refusal(Asked(b"", impersonated="x"), proxy, PROXIES, 0.0) is None
    assert quota.refusal(Asked(b"", impersonated="x"), proxy, PROXIES, 0.0) is None
    third = quota.refusal(Asked(b"", impersonated="x"), proxy, PROXIES, 0.0)
    assert third is not None
    assert third.reason == "NodeTooOften"


def test_a_pod_that_asks_for_others_without_being_a_proxy_uses_up_its_own_share_and_not_its_nodes() -> None:
    quota = Quota(Rates(pod=Rate(2, 10.0), node=Rate(4, 10.0)))
    stranger = PodToken("shop", "web", "a", "web-1", "uid-1", "node-1")
    neighbour = PodToken("shop", "web", "a", "web-2", "uid-2", "node-1")
    for _ in range(20):
        refused = quota.refusal(Asked(b"", impersonated="spiffe://x"), stranger, PROXIES, 0.0)
    assert refused is not None
    assert refused.reason == "PodTooOften"
    assert quota.refusal(Asked(b""), neighbour, PROXIES, 0.0) is None
