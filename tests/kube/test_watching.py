"""Whatever a cluster does and however a watch breaks: what is known is what the cluster holds."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.failures import ApiRefused, Expired, Unreachable
from kube.resources import Key
from kube.watching import NOWHERE, Failed, Known, Marked, Put, Removed, resumable, step
from proa.json import Json

KEYS = st.builds(Key, st.sampled_from(["shop", "bank"]), st.sampled_from("abc"))
WRITES = st.lists(st.tuples(KEYS, st.integers(0, 2) | st.none()), max_size=8)
"""A value that is written, or None for a deletion."""


@dataclass
class Cluster:
    """What the API server holds, and every event that led there."""

    objects: dict[Key, int] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)

    def write(self, key: Key, value: int | None) -> None:
        version = str(len(self.events) + 1)
        metadata: Json = {"namespace": key.namespace, "name": key.name, "resourceVersion": version}
        if value is None:
            if key not in self.objects:
                return
            kind, value = "DELETED", self.objects.pop(key)
        else:
            kind = "MODIFIED" if key in self.objects else "ADDED"
            self.objects[key] = value
        self.events.append({"type": kind, "object": {"metadata": metadata, "value": value}})


class Follower:
    """Applies what `Known` says has changed, as a subscriber would, to a copy of its own."""

    def __init__(self) -> None:
        self.known: Known[int] = Known()
        self.copy: dict[Key, int] = {}
        self.told = 0

    def relist(self, cluster: Cluster) -> None:
        self._tell(self.known.listed(list(cluster.objects.items()), str(len(cluster.events))))

    def watch(self, cluster: Cluster, until: int) -> None:
        for event in cluster.events[int(self.known.version) : until]:
            match step(event):
                case Put(key, item, version):
                    value = item["value"]
                    assert isinstance(value, int)
                    self._tell(self.known.put(key, value, version))
                case Removed(key, version):
                    self._tell(self.known.removed(key, version))
                case other:
                    pytest.fail(f"{event} is {other}")

    def _tell(self, changes: tuple[tuple[Key, int | None], ...]) -> None:
        for key, value in changes:
            assert self.copy.get(key) != value, "a change that is none"
            self.told += 1
            if value is None:
                del self.copy[key]
            else:
                self.copy[key] = value


@given(st.lists(st.tuples(WRITES, st.booleans(), st.integers(0, 8)), max_size=6))
def test_after_any_breaks_what_is_known_and_told_is_what_the_cluster_holds(
    rounds: list[tuple[list[tuple[Key, int | None]], bool, int]],
) -> None:
    cluster, follower = Cluster(), Follower()
    follower.relist(cluster)
    for writes, lost, seen in rounds:
        for key, value in writes:
            cluster.write(key, value)
        # A watch that breaks has told some of what happened; then either it resumes, or all is listed.
        follower.watch(cluster, int(follower.known.version) + seen)
        if lost:
            follower.relist(cluster)
        else:
            follower.watch(cluster, len(cluster.events))
        assert follower.copy == dict(follower.known.values) == cluster.objects
        assert follower.known.version == str(len(cluster.events))


@given(WRITES)
def test_a_list_of_what_is_known_already_tells_nothing(writes: list[tuple[Key, int | None]]) -> None:
    cluster, follower = Cluster(), Follower()
    for key, value in writes:
        cluster.write(key, value)
    follower.relist(cluster)
    told = follower.told
    follower.relist(cluster)
    assert follower.told == told


def test_a_bookmark_is_a_newer_version_and_nothing_else() -> None:
    assert step({"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": {"resourceVersion": "7"}}}) == Marked("7")


def test_a_watch_that_is_too_old_fails_as_expired() -> None:
    status: Json = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (2)"}
    found = step({"type": "ERROR", "object": status})
    assert isinstance(found, Failed)
    assert isinstance(found.error, Expired)
    assert not resumable(found.error)


def test_a_watch_goes_on_where_it_was_only_after_a_break_or_an_overload() -> None:
    assert resumable(Unreachable("https://192.0.2.1", "Connection reset by peer", "check that it runs"))
    assert resumable(ApiRefused(429, "TooManyRequests", ""))
    assert not resumable(ApiRefused(504, "Timeout", "Too large resource version"))


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "object", "metadata", "name", "resourceVersion"]), inner, max_size=4)
    ),
)


@given(
    VALUES
    | st.fixed_dictionaries({"type": st.sampled_from(["ADDED", "DELETED", "BOOKMARK", "ERROR"]), "object": VALUES})
)
def test_any_line_of_json_is_a_step(event: Json) -> None:
    assert isinstance(step(event), Put | Removed | Marked | Failed)


def test_what_was_never_listed_is_nowhere() -> None:
    assert Known[int]().version == NOWHERE
