from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.explanation import Answer, Explanation, Verdict, explanation
from proa.errors import ProaError
from proa.mesh import MeshConfiguration
from webhook.decision import RULES, Inject, Subject
from webhook.decoding import converted
from webhook.injection import injection
from webhook.pod import Pod
from webhook.registration import Revision, registration
from webhook.sidecar import sidecar

CONFIGURATION = MeshConfiguration()
SIDECAR = sidecar(CONFIGURATION)
DEFAULT = registration(Revision())
ENABLED = {"proa.dev/inject": "enabled"}


def explained(
    namespace_labels: dict[str, str],
    *,
    pod_labels: dict[str, str] | None = None,
    registrations: Any = (DEFAULT,),
    **spec: Any,
) -> Explanation:
    labels = pod_labels or {}
    raw = {"metadata": {"name": "web", "labels": labels}, "spec": {"containers": [{"name": "app"}], **spec}}
    subject = Subject(converted(raw, Pod, ""), "shop", namespace_labels, CONFIGURATION)
    return explanation(subject, raw, registrations, SIDECAR)


def test_an_injected_pod_shows_the_rule_the_entry_and_the_patch() -> None:
    told = explained(ENABLED)
    assert told.verdict is Verdict.INJECTED
    assert [step.code for step in told.steps if step.answer is Answer.YES] == ["namespace_enabled"]
    assert [entry.entry for entry in told.entries if not entry.stopped] == ["namespace.closed.default.webhook.proa.dev"]
    assert any(edit.path.startswith("/spec/initContainers") for edit in told.edits)


def test_every_rule_is_shown_and_none_after_the_one_that_decides_is_asked() -> None:
    told = explained({}, pod_labels={"proa.dev/inject": "disabled"})
    assert [step.code for step in told.steps] == [rule.code for rule in RULES]
    answers = [step.answer for step in told.steps]
    decided = answers.index(Answer.YES)
    asked = [rule.code for rule in RULES[:decided] if not rule.needs]
    assert [step.code for step in told.steps if step.answer is Answer.NO] == asked
    assert set(answers[:decided]) == {Answer.NO, Answer.NOT_CONFIGURED}
    assert set(answers[decided + 1 :]) == {Answer.NOT_REACHED}


@pytest.mark.parametrize(
    ("spec", "condition"),
    [({"hostNetwork": True}, "not-host-network"), ({"os": {"name": "windows"}}, "not-windows")],
)
def test_a_pod_that_a_condition_keeps_from_the_webhook_is_told_so(spec: dict[str, Any], condition: str) -> None:
    told = explained(ENABLED, **spec)
    assert told.verdict is Verdict.NOT_ASKED
    assert any(condition in entry.stopped for entry in told.entries)
    assert told.edits == ()


def test_a_namespace_of_another_revision_is_told_which_label_keeps_its_pods_away() -> None:
    told = explained({**ENABLED, "proa.dev/rev": "blue"})
    assert told.verdict is Verdict.NOT_ASKED
    assert all("proa.dev/rev" in entry.stopped for entry in told.entries)
    both = explained({**ENABLED, "proa.dev/rev": "blue"}, registrations=(DEFAULT, registration(Revision("blue"))))
    assert both.verdict is Verdict.INJECTED


def test_without_a_registration_nobody_is_asked() -> None:
    told = explained(ENABLED, registrations=())
    assert (told.verdict, told.entries) == (Verdict.NOT_ASKED, ())
    assert "no registration" in told.conclusion


def test_a_wish_that_is_neither_is_refused_and_the_rule_says_what_it_found() -> None:
    told = explained({"proa.dev/inject": "yes"})
    assert told.verdict is Verdict.REFUSED
    (step,) = [step for step in told.steps if step.answer is Answer.REFUSED]
    assert "'yes'" in step.note
    assert "'yes'" in told.conclusion


def test_a_pod_that_collides_with_the_sidecar_is_refused_with_its_fields() -> None:
    told = explained(ENABLED, containers=[{"name": "proa-proxy", "args": []}])
    assert told.verdict is Verdict.REFUSED
    assert "spec.containers[0].args" in told.conclusion


def test_a_condition_of_another_version_is_not_guessed() -> None:
    unknown = registration(Revision())
    assert isinstance(unknown, dict)
    for webhook in unknown["webhooks"]:  # type: ignore[union-attr]
        webhook["matchConditions"] = [{"name": "of-tomorrow", "expression": "true"}]  # type: ignore[index, call-overload]
    told = explained(ENABLED, registrations=(unknown,))
    assert any("'of-tomorrow' is not known" in entry.stopped for entry in told.entries)


WISHES = st.sampled_from([None, "enabled", "disabled", "true", "false", "yes"])


@given(WISHES, WISHES, st.sampled_from([None, "open", "closed"]), st.booleans())
def test_the_explanation_is_what_the_webhook_does(
    namespace_wish: str | None, pod_wish: str | None, on_failure: str | None, host_network: bool
) -> None:
    labels = {"proa.dev/inject": namespace_wish, "proa.dev/on-failure": on_failure}
    namespace = {key: value for key, value in labels.items() if value is not None}
    pod_labels = {} if pod_wish is None else {"proa.dev/inject": pod_wish}
    told = explained(namespace, pod_labels=pod_labels, hostNetwork=host_network)
    raw = {"metadata": {"labels": pod_labels}, "spec": {"containers": [{"name": "app"}], "hostNetwork": host_network}}
    subject = Subject(converted(raw, Pod, ""), "shop", namespace, CONFIGURATION)
    assert sum(not entry.stopped for entry in told.entries) <= 1
    try:
        injects = isinstance(injection(subject, SIDECAR, lambda: raw).decision, Inject)
    except ProaError:
        assert told.verdict is Verdict.REFUSED
    else:
        assert (told.verdict is Verdict.INJECTED) is injects
