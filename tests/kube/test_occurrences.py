"""Events, within what the API server's validation takes."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kube.occurrences import Occurrence, again, event
from kube.resources import key_of
from proa.json import Json

NOW = datetime(2026, 11, 24, 1, 2, 3, 45, tzinfo=UTC)
MAP: Json = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "proa", "namespace": "proa-system", "uid": "1-2", "labels": {"a": "b"}},
}
SEEN = Occurrence("ConfigurationInvalid", "peerTls: found 'strickt'", "Warning", "proa-ca-0")


def test_an_event_says_what_about_which_object_by_whom_and_when() -> None:
    written = event(MAP, SEEN, NOW)
    assert isinstance(written, dict)
    assert key_of(written).namespace == "proa-system"
    assert re.fullmatch(r"proa\.[0-9a-f]{16}", key_of(written).name)
    del written["metadata"]
    assert written == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "eventTime": "2026-11-24T01:02:03.000045Z",
        "reportingController": "proa.dev/proa",
        "reportingInstance": "proa-ca-0",
        "action": "ConfigurationInvalid",
        "reason": "ConfigurationInvalid",
        "regarding": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "proa",
            "namespace": "proa-system",
            "uid": "1-2",
        },
        "note": "peerTls: found 'strickt'",
        "type": "Warning",
    }


def test_an_event_about_an_object_without_a_namespace_is_in_default() -> None:
    assert key_of(event({"kind": "Node", "metadata": {"name": "n1"}}, SEEN, NOW)).namespace == "default"


def test_the_same_occurrence_is_counted_and_another_is_not() -> None:
    later = datetime(2026, 11, 25, tzinfo=UTC)
    assert key_of(event(MAP, SEEN, NOW)) == key_of(event(MAP, SEEN, later))
    other = Occurrence(SEEN.reason, "discovery: found 'none'", "Warning", SEEN.instance)
    assert key_of(event(MAP, SEEN, NOW)) != key_of(event(MAP, other, NOW))
    once = again({}, later)
    assert once == {"series": {"count": 2, "lastObservedTime": "2026-11-25T00:00:00.000000Z"}}
    assert again(once, later) == {"series": {"count": 3, "lastObservedTime": "2026-11-25T00:00:00.000000Z"}}


def test_a_long_name_is_cut_to_one_that_a_digest_can_follow() -> None:
    about: Json = {"kind": "ConfigMap", "metadata": {"name": f"{'a' * 228}-.{'b' * 20}"}}
    assert re.fullmatch(r"a{228}\.[0-9a-f]{16}", key_of(event(about, SEEN, NOW)).name)


@given(st.text(), st.text(min_size=1, max_size=253), st.text(max_size=300))
def test_no_message_or_name_is_too_long_for_an_event(message: str, name: str, instance: str) -> None:
    about: Json = {"kind": "ConfigMap", "metadata": {"name": name}}
    written = event(about, Occurrence("Reason", message, "Normal", instance), NOW)
    assert isinstance(written, dict)
    assert len(str(written["note"]).encode()) <= 1024
    assert len(str(written["reportingInstance"])) <= 128
    assert len(key_of(written).name) <= 253
