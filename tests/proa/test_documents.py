import json
from typing import Any

import pytest
import yaml
from hypothesis import given, reject
from hypothesis import strategies as st

from proa.documents import as_json, as_yaml, at, node_of, plain, read, text_at
from proa.errors import Invalid

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
PLAIN = "yes no on y 1e3 0777 0o7 0x1F 1_000 12:30:45 2001-12-14 null ~ << = # ' | > .inf .5 - ? !x &a *a % @ ` {} ["
SPACED = (
    "",
    " ",
    "- a",
    "a: b",
    '"',
    "line\nline\n",
    "\n",
    "a\n\n",
    " leading\n two",
    "tab\t",
    "\u2028",
    "\x85",
    "x" * 300,
)
awkward = st.sampled_from((*PLAIN.split(), *SPACED))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts | awkward
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | awkward, inner, max_size=4),
    max_leaves=15,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("y", True),
        ("'yes'", "yes"),
        ("~", None),
        ("0777", 511),
        ("0o17", 15),
        ("-0x1F", -31),
        ("0b11", 3),
        ("1_000", 1000),
        ("0899", 899.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("12:30:45", "12:30:45"),
        ("2001-12-14", "2001-12-14"),
        ("2001-12-14 21:59:43.10 -5", "2001-12-14 21:59:43.10 -5"),
        ("100m", "100m"),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("!!str 5", "5"),
        ('!!int "5"', 5),
        ("|\n a\n b", "a\nb\n"),
        ("{1: a, true: b, 1.5: c}", {"1": "a", "true": "b", "1.5": "c"}),
        ("{<<: {a: 1, b: 1}, b: 2}", {"a": 1, "b": 2}),
        ("{b: 2, <<: [{a: 1}, {a: 3, b: 1, c: 4}]}", {"a": 1, "b": 2, "c": 4}),
    ],
)
def test_a_scalar_means_what_kubernetes_takes_it_for(text: str, value: Any) -> None:
    (document,) = read(f"key: {text}\n")
    assert plain(document) == {"key": value}
    assert json.loads(as_json([document])) == {"key": value}


@pytest.mark.parametrize(
    "scalar",
    [
        "yes",
        "0777",
        "1e3",
        "1_000",
        "12:30:45",
        "2001-12-14",
        "0o7",
        "1.10",
        "'yes'",
        '"0777"',
        "!custom x",
        "~",
        "=",
        "y",
    ],
)
def test_a_scalar_leaves_as_it_came(scalar: str) -> None:
    text = f"key: {scalar}\n"
    assert as_yaml(read(text)) == text


def test_a_block_of_text_leaves_as_it_came() -> None:
    text = "script: |\n  echo one\n   indented\n\n  echo two\nfolded: >-\n  a\n  b\nlast: |+\n  x\n\n"
    assert plain(read(as_yaml(read(text)))[0]) == plain(read(text)[0])
    assert "script: |\n  echo one\n" in as_yaml(read(text))


@given(values)
def test_any_value_written_is_read_back(value: Any) -> None:
    assert plain(read(as_yaml([node_of([value])]))[0]) == [value]


@given(st.dictionaries(texts | awkward, values))
def test_what_another_writer_wrote_is_passed_on_as_it_is(value: dict[str, Any]) -> None:
    """PyYAML's own writer has other scalars in mind: what it leaves plain may mean something else; that must stay."""
    (first,) = read(yaml.safe_dump(value, allow_unicode=True))
    try:
        meant = plain(first)
    except Invalid:  # two keys of one meaning, such as `y` and `true`
        reject()
    (again,) = read(as_yaml([first]))
    assert plain(again) == meant


@given(texts | awkward, st.sampled_from("|>'\""))
def test_any_text_in_any_style_is_passed_on(text: str, style: str) -> None:
    first = read(yaml.dump({"key": text}, Dumper=yaml.SafeDumper, default_style=style))
    assert [plain(document) for document in read(as_yaml(first))] == [plain(document) for document in first]


@given(st.text() | st.binary())
def test_any_stream_is_read_and_passed_on_or_refused(stream: str | bytes) -> None:
    try:
        documents = read(stream)
        before = [plain(document) for document in documents]
    except Invalid:
        return
    assert [plain(document) for document in read(as_yaml(documents))] == before


def test_several_documents_stay_several_and_empty_ones_go() -> None:
    assert as_yaml(read("---\n# a comment\n---\na: 1\n---\n---\n- b\n...\n")) == "a: 1\n---\n- b\n"
    assert read("") == ()


def test_the_order_of_keys_stays() -> None:
    assert as_yaml(read("z: 1\na: 2\nm: {y: 1, b: 2}\n")) == "z: 1\na: 2\nm: {y: 1, b: 2}\n"


@pytest.mark.parametrize(
    ("stream", "field", "found"),
    [
        ("a: [", "the stream", "did not find expected node content"),
        ("a: b: c", "the stream", "mapping values are not allowed"),
        (b"\xff\xff", "the stream", ""),
        ("a: *nowhere", "the stream", "undefined alias"),
        ("[" * 100_000, "the stream", "more than 200 levels"),
        ("{a: " * 100_000, "the stream", "more than 200 levels"),
        ("a: &a [*a]", "line 1", "aliases in a circle"),
        (
            "a0: &a0 [x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]\n" for n in range(1, 9)),
            "line 7",
            "too many",
        ),
    ],
)
def test_a_stream_that_cannot_be_read_is_refused(stream: str | bytes, field: str, found: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(stream)
    assert refused.value.field == field
    assert found in refused.value.found


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3", "the key 'a' a second time"),
        ("a: .nan\n", "line 1", "'.nan'"),
        ("a: .inf\n", "line 1", "'.inf'"),
        ("a: 1\nb: !!int x\n", "line 2", "'x'"),
        ("a: !!bool maybe\n", "line 1", "'maybe'"),
        ("? [a]\n: 1\n", "line 1", "a key that is null or a collection"),
        ("~: 1\n", "line 1", "a key that is null or a collection"),
        ("a:\n  <<: 5\n", "line 2", "a merge of something else"),
    ],
)
def test_what_json_cannot_say_is_refused_by_its_line(text: str, line: str, found: str) -> None:
    (document,) = read(text)
    with pytest.raises(Invalid) as refused:
        plain(document)
    assert refused.value.field == line
    assert found in refused.value.found


def test_at_finds_what_stands_there_and_null_is_nothing() -> None:
    (document,) = read("a: {b: [1], c: ~, <<: {d: text}}")
    assert plain(at(document, "a", "b") or document) == [1]
    assert at(document, "a", "c") is None
    assert at(document, "x", "y") is None
    assert at(document, "a", "b", "c") is None
    assert text_at(document, "a", "d") == "text"
    assert text_at(document, "a", "b") == ""
