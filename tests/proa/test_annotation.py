"""An interception goes through a pod's annotation unchanged; what is none is refused with every reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.capture.annotation import LONGEST, annotation, from_annotation
from proa.capture.choices import ExcludedUsers
from proa.capture.interception import Interception
from proa.errors import Refused
from support.interceptions import interceptions


@given(interceptions())
def test_what_is_written_is_read_again(wanted: Interception) -> None:
    text = annotation(wanted)
    assert from_annotation(text) == wanted
    assert annotation(from_annotation(text)) == text


def test_only_what_is_not_as_by_default_is_written() -> None:
    assert annotation(Interception()) == "{}"
    wanted = Interception(
        excluded_outbound_ports=((22, 22), (3000, 3100)), excluded_users=(ExcludedUsers(((5, 5),)),), drop_invalid=True
    )
    assert annotation(wanted) == '{"exclude-outbound-ports":"22,3000-3100","exclude-users":"5","drop-invalid":"true"}'


@pytest.mark.parametrize("text", ["", "{", "udp=drop", "[" * 5000, " " * LONGEST + "{}", "NaN x"])
def test_what_is_no_json_is_refused(text: str) -> None:
    assert _refused(text) == [("the document", f"JSON of at most {LONGEST} characters")]


@pytest.mark.parametrize("text", ["null", "[]", "[1]", '"{}"', "3", "NaN"])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    assert _refused(text) == [("the document", "an object")]


def test_every_problem_is_told_at_once_under_its_key() -> None:
    text = '{"udp":"maybe","quic":"drop","quic":"drop","mode":"x","log-rate":5,"proxy-uid":"0","ipv4":{"a":"b"}}'
    assert [key for key, _ in _refused(text)] == ["udp", "quic", "mode", "log-rate", "ipv4", "proxy-uid"]


@pytest.mark.parametrize("key", ["\ud800", "udp\nudp", "\x1b[2J", "u" * 1000])
def test_a_key_that_is_no_word_is_told_as_one_line_that_can_be_passed_on(key: str) -> None:
    ((field, _),) = _refused(json.dumps({key: "x"}))
    assert field.isprintable()
    assert len(field) < 120


def test_servers_that_only_the_pod_knows_are_no_servers() -> None:
    assert _refused('{"dns":"resolv.conf"}') == [("dns", "addresses of servers")]


@given(st.text() | st.dictionaries(st.text(), st.none() | st.text() | st.integers()).map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = from_annotation(text)
    except Refused:
        return
    assert from_annotation(annotation(read)) == read


def _refused(text: str) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as refused:
        from_annotation(text)
    return [(problem.field, problem.allowed) for problem in refused.value.problems]
