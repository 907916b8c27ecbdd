"""Answers of an API server, and what they are to a caller."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.failures import (
    AlreadyExists,
    ApiRefused,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    Unauthenticated,
    Unreachable,
    refusal,
    worth_a_retry,
)


def answer(code: int, reason: str, **more: object) -> bytes:
    """As a 1.37 API server writes it."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason}
    return json.dumps({**status, "message": "said so", "code": code, **more}).encode()


@pytest.mark.parametrize(
    ("code", "reason", "kind", "again"),
    [
        (401, "Unauthorized", Unauthenticated, False),
        (403, "Forbidden", Forbidden, False),
        (404, "NotFound", NotFound, False),
        (409, "Conflict", Conflict, False),
        (409, "AlreadyExists", AlreadyExists, False),
        (410, "Expired", Expired, False),
        (422, "Invalid", ApiRefused, False),
        (429, "TooManyRequests", ApiRefused, True),
        (500, "InternalError", ApiRefused, True),
        (503, "ServiceUnavailable", ApiRefused, True),
        (504, "Timeout", ApiRefused, True),
    ],
)
def test_each_refusal_is_told_by_its_status_and_reason(
    code: int, reason: str, kind: type[ApiRefused], again: bool
) -> None:
    error = refusal(code, answer(code, reason), "GET /api/v1/pods")
    assert type(error) is kind
    assert worth_a_retry(error) is again
    assert str(error) == f"said so ({code} {reason} to GET /api/v1/pods)"


def test_what_is_no_status_is_shown_as_it_is() -> None:
    error = refusal(502, b"<html>bad gateway</html>")
    assert (error.status, error.message) == (502, "<html>bad gateway</html>")
    assert refusal(503, b"").message == "an empty answer"


def test_the_time_that_the_api_server_asks_to_wait_is_kept() -> None:
    assert refusal(429, b"", retry_after="7").retry_after == 7
    assert refusal(429, answer(429, "TooManyRequests", details={"retryAfterSeconds": 3})).retry_after == 3
    assert refusal(429, b"", retry_after="Tue, 24 Nov 2026 00:00:00 GMT").retry_after is None


@given(
    st.integers(400, 599),
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["kind", "code", "reason", "details", "x"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode()),
    st.text(),
)
def test_any_answer_is_a_refusal_of_bounded_length(status: int, body: bytes, header: str) -> None:
    error = refusal(status, body, retry_after=header)
    assert error.status >= 400 or b"Status" in body
    assert isinstance(error, ApiRefused)


def test_an_unreachable_server_is_worth_another_try_and_anything_else_is_not() -> None:
    assert worth_a_retry(Unreachable("https://192.0.2.1", "Connection refused", "check that it runs"))
    assert not worth_a_retry(ValueError("a mistake"))
