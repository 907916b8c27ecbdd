"""What goes to a child, and comes back."""

from hypothesis import given
from hypothesis import strategies as st

from node.jobs import LONGEST, Job, Outcome, job, job_message, outcome, outcome_message

TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@given(st.integers(0), st.sampled_from(["apply", "verify", "repair"]), TEXT)
def test_a_job_arrives_as_it_was_sent(number: int, action: str, annotation: str) -> None:
    asked = Job(number, action, annotation)
    assert job(job_message(asked)) == asked


@given(st.integers(0, 2**40), TEXT)
def test_an_outcome_arrives_and_is_never_too_long(number: int, text: str) -> None:
    message = outcome_message(Outcome(number, "differs", text * 1000))
    assert len(message) < LONGEST
    assert outcome(message) == Outcome(number, "differs", (text * 1000)[:4000])


@given(st.text(st.characters()))
def test_whatever_an_outcome_quotes_it_can_be_passed_on(text: str) -> None:
    passed = outcome(outcome_message(Outcome(1, "refused", text))).text
    assert passed.encode().decode() == passed
