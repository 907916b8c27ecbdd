"""A connection to a runtime, as bytes: what it asks, what follows from it and what is answered."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cni import Owner
from node.nri.frames import PLUGIN, REQUEST, RESPONSE, RUNTIME, Garbled, Message, sent
from node.nri.session import OPENING, Answer, Event, Joined, Session, Started, Stopped, refused, succeeded
from support.nri_messages import ENVELOPE, RUNTIMES, SERVICE, answer, asked, configuring

OWNER = Owner("shop", "web", "6c1f")


def pod() -> Any:
    return RUNTIMES["Pod"](name="web", namespace="shop", uid="6c1f", pid=7)


def events(*received: bytes, milliseconds: int = 0) -> list[Event]:
    """Of a session that is configured."""
    session = Session()
    list(session.events(configuring(milliseconds)))
    return [event for each in received for event in session.events(each)]


def test_the_first_word_is_the_registration() -> None:
    headers = bytes.fromhex("00000002 00000044 0000003a 00000001 0100")
    service, method = b"\x0a\x1cnri.pkg.api.v1alpha1.Runtime", b"\x12\x0eRegisterPlugin"
    payload = b"\x1a\x0a\x0a\x04proa\x12\x0250"
    assert headers + service + method + payload == OPENING


def test_sandboxes_are_asked_for_and_a_lost_answer_is_to_fail_them() -> None:
    (event,) = Session().events(configuring())
    assert isinstance(event, Answer)
    # Payload: events, of which two bits are set; the policy, of which the first member is true.
    assert answer(event.reply) == Message(PLUGIN, 5, bytes.fromhex("1206 1003 1a02 0801"))


@pytest.mark.parametrize(
    "told",
    [
        asked("RunPodSandbox", RUNTIMES["Sandbox"](pod=pod())),
        asked("StateChange", RUNTIMES["Change"](event=1, pod=pod())),
    ],
)
def test_a_sandbox_is_told_of_in_either_way(told: bytes) -> None:
    assert events(told) == [Started(5, OWNER, 7, 2.0)]
    assert events(told, milliseconds=500) == [Started(5, OWNER, 7, 0.5)]
    assert events(told, milliseconds=10**9) == [Started(5, OWNER, 7, 20.0)]


@pytest.mark.parametrize(
    "told",
    [
        asked("StopPodSandbox", RUNTIMES["Sandbox"](pod=pod())),
        asked("StateChange", RUNTIMES["Change"](event=2, pod=pod())),
    ],
)
def test_so_is_its_end(told: bytes) -> None:
    assert events(told) == [Stopped(OWNER, succeeded(5))]


def test_joined_is_who_was_told_of_all_sandboxes() -> None:
    first, last = (asked("Synchronize", RUNTIMES["Synchronize"](pods=[pod()], more=more)) for more in (1, 0))
    part, joined = events(first, last)
    assert isinstance(part, Answer)
    assert answer(part.reply) == Message(PLUGIN, 5, bytes.fromhex("1202 1001"))
    assert joined == Joined("'containerd v2.4.2'", succeeded(5))


@pytest.mark.parametrize(
    ("told", "is_refused"),
    [
        (asked("StateChange", RUNTIMES["Change"](event=4, pod=pod())), False),
        (asked("Shutdown"), False),
        (asked("Surprise"), True),
        (asked("RunPodSandbox", service="another.Service"), True),
    ],
)
def test_what_is_nothing_of_ours_is_answered(told: bytes, is_refused: bool) -> None:
    (event,) = events(told)
    assert isinstance(event, Answer)
    # Code 12 of google.rpc.Status: UNIMPLEMENTED.
    assert (bytes((8, 12)) in answer(event.reply).payload) is is_refused


def test_a_refusal_has_a_code_that_the_runtime_does_not_take_for_a_lost_plugin() -> None:
    read = answer(refused(9, "why" * 5000))
    assert read.stream == 9
    # Code 2, UNKNOWN, and the text, cut.
    assert (read.payload[3:5], read.payload.count(b"why")) == (bytes((8, 2)), 666)


@given(st.text(st.characters()))
def test_a_refusal_is_sent_whatever_it_quotes(why: str) -> None:
    assert answer(refused(9, why)).stream == 9


@pytest.mark.parametrize(
    "told",
    [
        asked("RunPodSandbox", RUNTIMES["Sandbox"](pod=pod())),
        sent(REQUEST, Message(PLUGIN, 1, b"\xff")),
        sent(RESPONSE, Message(RUNTIME, 1, bytes.fromhex("0a07 0802 1203 6e6f21"))),
    ],
)
def test_nothing_is_taken_before_the_configuration_nor_what_cannot_be_read_nor_a_refusal(told: bytes) -> None:
    with pytest.raises(Garbled):
        list(Session().events(told))


@given(st.binary(max_size=200), st.sampled_from(["Configure", "Synchronize", "RunPodSandbox", "StateChange", "x"]))
def test_whatever_a_message_holds_it_is_read_or_refused(payload: bytes, method: str) -> None:
    session = Session()
    list(session.events(configuring()))
    request = ENVELOPE["Request"](service=SERVICE, method=method, payload=payload).SerializeToString()
    try:
        (event,) = session.events(sent(REQUEST, Message(PLUGIN, 1, request)))
    except Garbled:
        return
    assert isinstance(event, Answer | Joined | Started | Stopped)


def test_an_answer_to_the_registration_is_nothing_to_answer() -> None:
    assert list(Session().events(sent(RESPONSE, Message(RUNTIME, 1, b"")))) == []
