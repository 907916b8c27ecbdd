import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from installation.noted import Noted, Tree, plain
from installation.render.yaml_text import yaml_text
from proa import documents

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["", "y", "off", "1", "1e3", "- a", "a: b", "# no", "a\nb", "a\n", "a\n\n", " a\nb", "\ta", "'", '"', "{{ x }}"]
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS
NOTES = st.text(st.sampled_from("abc #:-\n"), min_size=1, max_size=200)


def _noted(trees: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    return trees | st.builds(Noted, NOTES, trees)


TREES: st.SearchStrategy[Tree] = st.recursive(
    _noted(SCALARS),
    lambda inner: _noted(st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
OBJECTS = st.lists(st.dictionaries(TEXTS, TREES, min_size=1, max_size=5), min_size=1, max_size=3)


@given(OBJECTS)
@example([{"a": [[], {}, [[1], "b"]]}])
@example([{"a": [{"b": Noted("why", {"c": [Noted("how", "d\ne\n")]})}]}])
def test_what_is_written_reads_as_the_same_objects_whatever_is_noted(objects: list[Tree]) -> None:
    text = yaml_text(objects)
    assert [documents.plain(each) for each in documents.read(text)] == [plain(each) for each in objects]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_another_parser_reads_a_text_as_the_same_text(text: str) -> None:
    assert yaml.safe_load(yaml_text([{"key": f"{text}\n{text}"}]))["key"] == f"{text}\n{text}"


def test_a_note_stands_above_what_it_is_about() -> None:
    tree = {
        "rules": [Noted("read by x", {"verbs": ["get"]}), Noted("and by y", {"verbs": []})],
        "most": Noted("all", 1),
    }
    assert yaml_text([tree]) == (
        "rules:\n  # read by x\n  - verbs: [get]\n  # and by y\n  - verbs: []\n# all\nmost: 1\n"
    )


def test_a_text_of_several_lines_is_a_block() -> None:
    assert yaml_text([{"a": {"b": "one: 1\n\ntwo: 2\n"}}]) == "a:\n  b: |\n    one: 1\n\n    two: 2\n"
