"""NRI's frames: whatever pieces they come in, the messages are the same; what is none of them is told at once."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.nri.frames import LONGEST, PLUGIN, REQUEST, RESPONSE, RUNTIME, Garbled, Incoming, Message, sent

KINDS = {PLUGIN: REQUEST, RUNTIME: RESPONSE}
MESSAGES = st.lists(
    st.builds(Message, st.sampled_from((PLUGIN, RUNTIME)), st.integers(0, 2**32 - 1), st.binary(max_size=9000)),
    max_size=4,
)


def pieces(whole: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    return (whole[start:end] for start, end in itertools.pairwise(places))


@given(MESSAGES, st.lists(st.integers(0, 40_000), max_size=30))
def test_messages_come_whole_from_pieces_of_any_size(messages: list[Message], cuts: list[int]) -> None:
    incoming = Incoming()
    whole = b"".join(sent(KINDS[each.connection], each) for each in messages)
    assert [each for piece in pieces(whole, cuts) for each in incoming.messages(piece)] == messages


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
@example(bytes.fromhex("00000001 ffffffff"), [])
@example(bytes.fromhex("00000003 00000000"), [])
def test_of_any_bytes_the_pieces_do_not_matter(received: bytes, cuts: list[int]) -> None:
    assert outcome([received]) == outcome(list(pieces(received, cuts)))


def outcome(received: list[bytes]) -> tuple[list[Message], str]:
    incoming, found = Incoming(), list[Message]()
    try:
        for each in received:
            found.extend(incoming.messages(each))
    except Garbled as garbled:
        return [], str(garbled)
    return found, ""


@pytest.mark.parametrize(
    "header",
    [
        bytes.fromhex("00000001 00000000 03 00"),  # a stream's data
        bytes.fromhex("00000001 00000000 02 00"),  # an answer, where the runtime asks
        (LONGEST + 1).to_bytes(4, "big") + bytes.fromhex("00000000 01 00"),
    ],
)
def test_a_message_of_another_type_or_too_long_is_told_by_its_header(header: bytes) -> None:
    frame = PLUGIN.to_bytes(4, "big") + len(header).to_bytes(4, "big") + header
    assert outcome([frame])[1]


def test_the_longest_message_fits() -> None:
    longest = Message(PLUGIN, 1, b"x" * LONGEST)
    assert outcome([sent(REQUEST, longest)]) == ([longest], "")


def test_no_frame_that_we_send_is_longer_than_the_other_ends_buffer() -> None:
    whole, lengths = sent(RESPONSE, Message(PLUGIN, 1, b"x" * 10_000)), list[int]()
    while whole:
        lengths.append(int.from_bytes(whole[4:8], "big"))
        whole = whole[8 + lengths[-1] :]
    assert sum(lengths) == 10_010
    assert max(lengths) == 4096
