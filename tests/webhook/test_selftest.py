from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Invalid
from proa.mesh import MeshConfiguration
from support.roots import Root
from webhook.admission import admission
from webhook.registration import Revision, registration
from webhook.review import admission_request, review
from webhook.selftest import Target, Uncallable, check_answer, question, targets
from webhook.sidecar import sidecar
from webhook.trust import registered, trusting

ROOT = Root().pem


def trusted(revision: str = "") -> Any:
    """A registration as it is when the leader has applied the bundle."""
    made: Any = registration(Revision(revision))
    applied: Any = trusting(registered(made), ROOT)
    for entry, addition in zip(made["webhooks"], applied["webhooks"], strict=True):
        entry["clientConfig"].update(addition["clientConfig"])
    return made


def answered(configuration: MeshConfiguration) -> bytes:
    request = admission_request(question("abc"))
    return review(admission(request, None, configuration, sidecar(configuration)).response)


def test_all_entries_are_called_in_one_way() -> None:
    host = "proa-webhook-canary.proa-system.svc"
    assert targets(registered(trusted("canary"))) == (Target(host, 443, host, "/inject", ROOT.decode()),)


def test_a_url_is_called_by_its_host() -> None:
    found = trusted()
    for entry in found["webhooks"]:
        del entry["clientConfig"]["service"]
        entry["clientConfig"]["url"] = "https://webhook.example:8443/inject"
    assert targets(registered(found)) == (Target("webhook.example", 8443, "webhook.example", "/inject", ROOT.decode()),)


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda found: found["webhooks"].clear(), "it has no entries"),
        (lambda found: found["webhooks"][3]["clientConfig"].pop("caBundle"), "1 of its 20 entries have no caBundle"),
        (lambda found: found["webhooks"][0]["clientConfig"].pop("service"), "clientConfig: found nothing"),
        (lambda found: found["webhooks"][0]["clientConfig"].update(caBundle="AAAA"), "caBundle: found no certificate"),
    ],
)
def test_a_registration_that_cannot_be_called_says_why(break_it: Any, reason: str) -> None:
    found = trusted()
    break_it(found)
    with pytest.raises(Uncallable) as uncallable:
        targets(registered(found))
    assert str(uncallable.value).startswith(
        "the API server cannot call this webhook by the registration proa-webhook: "
    )
    assert reason in str(uncallable.value)


def test_the_webhook_answers_the_question_whatever_its_configuration_and_without_knowing_a_namespace() -> None:
    for configuration in (MeshConfiguration(), MeshConfiguration(never_inject_namespaces=())):
        check_answer("abc", 200, answered(configuration))


@pytest.mark.parametrize(
    ("uid", "status", "body", "named"),
    [
        ("abc", 503, b"", "the answer's status: found 503"),
        ("other", 200, answered(MeshConfiguration()), "the answer: found"),
        ("abc", 200, b"<html>", "the answer: found what is not JSON"),
        ("abc", 200, b"{}", "response: found nothing"),
        (
            "abc",
            200,
            msgspec.json.encode({"response": {"uid": "abc", "allowed": True, "auditAnnotations": {}}}),
            "the answer: found",
        ),
    ],
)
def test_an_answer_of_anybody_else_is_none(uid: str, status: int, body: bytes, named: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_answer(uid, status, body)
    assert str(refused.value).startswith(named)


@given(st.binary())
def test_no_bytes_pass_for_the_answer(body: bytes) -> None:
    with pytest.raises(Invalid):
        check_answer("abc", 200, body)
