"""The record of an injection: whoever writes a pod may write it, too. And what it costs."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.errors import Invalid, Refused
from support.injecting import DEFAULT, assert_same, decided, in_list, injected, uninjected
from webhook.review import Response
from webhook.sidecar import sidecar

OWN = [names.INIT_CONTAINER, names.PROXY_CONTAINER, names.IDENTITY_VOLUME, names.BOOTSTRAP, names.STATUS]
PROBE = {"httpGet": {"path": "/", "port": 8080}}
THEIRS = ["app", "audit-agent", "audit-init", "audit", "audit.dev/seal", "", "0", "-", "a/b", "~1"]
PLACES = ["", "/spec", "/metadata", *(f"/spec/{each}" for each in ("initContainers", "volumes", "containers"))]


@pytest.fixture(scope="session")
def any_record(any_json: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Records of the right shape that nobody wrote down after an injection."""
    known = st.lists(st.sampled_from(THEIRS), max_size=4).map(lambda found: [*OWN, *found])
    members = st.dictionaries(st.sampled_from(["port", "scheme", "path", "host", "x/y"]), any_json, max_size=3)
    kinds = st.sampled_from(["httpGet", "tcpSocket", "grpc", "exec", "a/b"])
    places = st.sampled_from(["readinessProbe", "preStop", "image", "securityContext", "", "~0"])
    handlers = st.dictionaries(kinds, st.none() | members, max_size=2)
    return st.fixed_dictionaries(
        {
            "version": st.sampled_from([2, 3]),
            "proa": st.just("9"),
            "fingerprint": st.sampled_from(["", sidecar(DEFAULT).fingerprint]),
            "initContainers": known,
            "volumes": known,
            "annotations": known,
        },
        optional={
            "containers": known,
            "absent": st.lists(st.sampled_from(PLACES)),
            "null": st.lists(st.sampled_from(PLACES)),
            "replaced": st.dictionaries(st.sampled_from([names.BOOTSTRAP, "audit.dev/seal"]), st.text(max_size=3)),
            "probes": st.dictionaries(st.sampled_from(THEIRS), st.dictionaries(places, handlers), max_size=3),
        },
    )


def guarded(record: Any) -> Any:
    """A pod with what another webhook put into it, and with a record of its author's making."""
    asking = {"httpGet": {"path": "/", "port": 15101}}
    pod = {
        "metadata": {"annotations": {"audit.dev/seal": "s", names.BOOTSTRAP: "b", names.STATUS: json.dumps(record)}},
        "spec": {
            "initContainers": [{"name": "audit-init", "image": "x"}, {"name": names.PROXY_CONTAINER, "image": "y"}],
            "containers": [
                {"name": "app", "readinessProbe": asking},
                {"name": "audit-agent", "image": "x", "readinessProbe": PROBE, "lifecycle": {"preStop": PROBE}},
            ],
            "volumes": [{"name": "audit"}, {"name": names.IDENTITY_VOLUME}],
        },
    }
    return json.loads(json.dumps(pod))


def of_others(pod: Any) -> Any:
    """All that no injection may touch: what has another's name, but for where a probe is sent."""
    spec = {key: value for key, value in pod["spec"].items() if key not in {"initContainers", "containers", "volumes"}}
    for place in ("initContainers", "containers", "volumes"):
        kept = [item for item in pod["spec"].get(place) or [] if not item["name"].startswith("proa-")]
        spec[place] = [
            {key: value for key, value in item.items() if key not in {"readinessProbe", "lifecycle"}} for item in kept
        ]
    annotations = {
        key: value
        for key, value in pod["metadata"]["annotations"].items()
        if not key.startswith("proa.") and key != names.DEFAULT_CONTAINER
    }
    return {"metadata": {**pod["metadata"], "annotations": annotations}, "spec": spec}


@given(data=st.data())
def test_a_forged_record_takes_nothing_of_anybody_elses(
    data: st.DataObject, any_record: st.SearchStrategy[Any]
) -> None:
    pod = guarded(data.draw(any_record))
    try:
        result = injected(pod)
    except (Invalid, Refused):
        return
    assert_same(of_others(result), of_others(pod))
    agent = in_list(result, "containers", "audit-agent")
    for asked in (agent["readinessProbe"], agent["lifecycle"]["preStop"]):
        assert {**asked["httpGet"], "port": 8080} == PROBE["httpGet"]
        assert asked["httpGet"]["port"] in range(15100, 15200)
    assert set(in_list(result, "containers", "app")["readinessProbe"]) <= {"httpGet", "tcpSocket", "grpc"}
    assert decided(result).operations == ()


def forged(**more: Any) -> Any:
    return {
        "version": 3,
        "proa": "",
        "fingerprint": "",
        "initContainers": OWN,
        "volumes": OWN,
        "annotations": OWN,
        **more,
    }


def test_a_forged_record_changes_nothing_of_a_probe_but_what_an_injection_does() -> None:
    original = {"httpGet": {"port": 9000, "scheme": "HTTPS", "path": "/admin", "host": "elsewhere.example"}}
    pod = guarded(forged(probes={"app": {"readinessProbe": original, "newerThanWe": original}}))
    app = pod["spec"]["containers"][0]
    app["newerThanWe"] = copy.deepcopy(app["readinessProbe"])
    undone = uninjected(pod)["spec"]["containers"][0]
    assert undone["readinessProbe"] == {"httpGet": {"path": "/", "port": 9000, "scheme": "HTTPS"}}
    assert undone["newerThanWe"] == app["newerThanWe"]


def test_a_pod_with_our_names_many_times_over_is_rid_of_all_of_them() -> None:
    pod = guarded(forged())
    pod["spec"]["initContainers"] += [{"name": names.INIT_CONTAINER, "image": "z"}] * 40
    assert [each["name"] for each in uninjected(pod)["spec"]["initContainers"]] == ["audit-init"]
    assert_same(injected(pod), injected(guarded(forged())))


def test_a_record_that_names_a_thing_twice_takes_it_out_once() -> None:
    pod = guarded(forged(annotations=[*OWN, *OWN], replaced={names.LEAF: "not theirs to bring"}))
    assert uninjected(pod)["metadata"]["annotations"] == {"audit.dev/seal": "s"}
    assert_same(of_others(injected(pod)), of_others(pod))


@given(data=st.data())
def test_any_json_in_a_record_is_refused_or_undone(
    data: st.DataObject, any_record: st.SearchStrategy[Any], any_json: st.SearchStrategy[Any]
) -> None:
    record = data.draw(any_record)
    record[data.draw(st.sampled_from(sorted(record)))] = data.draw(any_json)
    for act in (injected, uninjected):
        try:
            act(guarded(record))
        except (Invalid, Refused):
            continue


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"version":3,"probes":' + '{"a":' * 900 + "1" + "}" * 901])
def test_a_record_of_brackets_is_refused(
    deep: str, review_of: Callable[..., bytes], answer: Callable[..., Response]
) -> None:
    pod = {"metadata": {"annotations": {names.STATUS: deep}}, "spec": {"containers": [{"name": "app"}]}}
    response = answer(review_of(pod))
    assert response.status is not None
    assert names.STATUS in response.status.message


def test_a_refused_record_names_its_annotation_and_what_is_allowed(
    review_of: Callable[..., bytes], answer: Callable[..., Response]
) -> None:
    pod = {"metadata": {"annotations": {names.STATUS: "{}"}}, "spec": {"containers": [{"name": "app"}]}}
    response = answer(review_of(pod))
    assert response.status is not None
    assert response.status.message.startswith(f"metadata.annotations['{names.STATUS}']")
    assert response.verdict[0] == "refused"


def test_a_record_is_small(ordinary_pod: Any) -> None:
    def size(pod: Any) -> int:
        return len(injected(pod)["metadata"]["annotations"][names.STATUS])

    probed = {"metadata": {}, "spec": {"containers": []}}
    for number in range(5):
        kinds = {"readinessProbe": {"httpGet": {"port": 8000 + number}}, "livenessProbe": {"tcpSocket": {"port": 90}}}
        probed["spec"]["containers"].append({"name": f"container-{number}", **kinds})
    assert size(ordinary_pod) < 350
    assert size(probed) < 1200


def test_a_record_that_no_pod_could_keep_is_not_read(ordinary_pod: Any) -> None:
    pod = injected(ordinary_pod)
    record = json.loads(pod["metadata"]["annotations"][names.STATUS])
    record["changed"] = {"was": {"x" * 262144: None}}
    pod["metadata"]["annotations"][names.STATUS] = json.dumps(record)
    with pytest.raises(Invalid, match="at most 262144"):
        decided(pod)
