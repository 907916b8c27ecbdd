"""Chaining: whatever the network configurations are, ours is a link of the first one's chain, and can be taken out."""

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from node.conflist import Change, Entry, Removed, Renamed, Written, chaining, is_chained, unchaining

ENTRY = Entry("/run/proa-node/cni.sock", ("kube-system",))
NEWER = Entry("/run/proa-node/cni.sock", ("kube-system", "proa-system"))
PRIMARY = {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge"}, {"type": "portmap"}], "x": 1.5}

PLUGIN = st.fixed_dictionaries(
    {"type": st.sampled_from(["bridge", "portmap", "istio-cni"])}, optional={"a": st.integers()}
)
LISTS = st.fixed_dictionaries(
    {"cniVersion": st.just("1.0.0"), "name": st.just("n"), "plugins": st.lists(PLUGIN, max_size=3)}
)
SINGLES = st.fixed_dictionaries({"cniVersion": st.just("0.4.0"), "name": st.just("n"), "type": st.just("bridge")})
LIST_FILES = st.dictionaries(st.sampled_from(["05-a.conflist", "10-b.conflist", "note.txt"]), LISTS.map(json.dumps))
SINGLE_FILES = st.dictionaries(st.sampled_from(["07-c.conf", "20-d.json", "99-e.conf"]), SINGLES.map(json.dumps))
BROKEN_FILES = st.dictionaries(
    st.sampled_from(["00-f.conflist", "01-g.conf"]), st.sampled_from(["", "{", "[]", '{"name":1}'])
)
FILES = st.builds(
    lambda *each: {k: v for files in each for k, v in files.items()}, LIST_FILES, SINGLE_FILES, BROKEN_FILES
)


def made(files: dict[str, str], changes: Iterable[Change]) -> dict[str, str]:
    after = dict(files)
    for change in changes:
        match change:
            case Written(name, text):
                after[name] = text
            case Renamed(name, to):
                after[to] = after.pop(name)
            case Removed(name):
                del after[name]
    return after


def first(files: dict[str, str]) -> Any:
    """As a runtime reads."""
    for name in sorted(files):
        if name.endswith((".conf", ".conflist", ".json")):
            try:
                document = json.loads(files[name])
            except ValueError:
                continue
            if isinstance(document, dict) and isinstance(document.get("name"), str):
                plugins = document.get("plugins") if name.endswith(".conflist") else [document]
                if plugins:
                    return {**document, "plugins": plugins}
    return None


@given(FILES)
def test_after_chaining_the_first_configuration_asks_us_once_and_nobody_else_less(files: dict[str, str]) -> None:
    after = made(files, chaining(files, ENTRY))
    before, now = first(files), first(after)
    if before is None:
        assert after == files
        assert not is_chained(after, ENTRY)
    else:
        assert [each["type"] for each in now["plugins"][:-1]] == [each["type"] for each in before["plugins"]]
        assert now["plugins"][-1] == ENTRY.document()
        assert now["name"] == before["name"]
        assert is_chained(after, ENTRY)


@given(FILES)
def test_chaining_twice_changes_nothing_more(files: dict[str, str]) -> None:
    after = made(files, chaining(files, ENTRY))
    assert chaining(after, ENTRY) == ()


@given(FILES)
def test_unchaining_gives_back_what_was_there(files: dict[str, str]) -> None:
    after = made(files, chaining(files, ENTRY))
    back = made(after, unchaining(after))
    assert back.keys() == files.keys()
    changed = [name for name in files if back[name] != files[name]]
    assert [json.loads(back[name]) for name in changed] == [json.loads(files[name]) for name in changed]
    assert unchaining(back) == ()


def test_a_changed_entry_takes_the_place_of_the_former() -> None:
    behind = {"type": "istio-cni"}
    files = made({"10.conflist": json.dumps(PRIMARY)}, chaining({"10.conflist": json.dumps(PRIMARY)}, ENTRY))
    document = json.loads(files["10.conflist"])
    files = {"10.conflist": json.dumps({**document, "plugins": [*document["plugins"], behind]})}
    assert chaining(files, ENTRY) == ()
    after = json.loads(made(files, chaining(files, NEWER))["10.conflist"])
    assert after["plugins"] == [*PRIMARY["plugins"], NEWER.document(), behind]  # type: ignore[misc]


def test_a_primary_that_writes_its_file_anew_loses_us_and_gets_us_back() -> None:
    files = {"10.conflist": json.dumps(PRIMARY)}
    assert not is_chained(files, ENTRY)
    assert is_chained(made(files, chaining(files, ENTRY)), ENTRY)


def test_a_single_plugin_is_put_aside_and_a_list_takes_its_place() -> None:
    single = {"cniVersion": "0.3.1", "name": "old", "type": "flannel", "delegate": {"isDefaultGateway": True}}
    changes = chaining({"10-old.conf": json.dumps(single)}, ENTRY)
    assert changes[1:] == (Renamed("10-old.conf", "10-old.conf.before-proa"),)
    assert isinstance(changes[0], Written)
    assert json.loads(changes[0].text) == {
        "cniVersion": "0.3.1",
        "name": "old",
        "plugins": [{"type": "flannel", "delegate": {"isDefaultGateway": True}}, ENTRY.document()],
    }


def test_a_single_plugin_that_is_written_anew_meanwhile_stays_when_we_go() -> None:
    single = json.dumps({"cniVersion": "0.3.1", "name": "old", "type": "flannel"})
    after = made({"10-old.conf": single}, chaining({"10-old.conf": single}, ENTRY))
    newer = single.replace("flannel", "bridge")
    assert made({**after, "10-old.conf": newer}, unchaining({**after, "10-old.conf": newer})) == {"10-old.conf": newer}
