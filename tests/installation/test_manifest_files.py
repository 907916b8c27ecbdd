from pathlib import Path

import pytest

from installation.render.__main__ import MANIFESTS, write
from installation.render.files import files


def below(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text(encoding="utf-8")
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_the_committed_manifests_are_what_the_objects_give() -> None:
    found, expected = below(MANIFESTS), files()
    assert sorted(found) == sorted(expected), "run `python -m installation.render`"
    for path, content in expected.items():
        assert found[path] == content, f"manifests/{path} is old: run `python -m installation.render`"


def test_writing_leaves_no_file_of_before(tmp_path: Path) -> None:
    old = tmp_path / "base" / "old" / "gone.yaml"
    old.parent.mkdir(parents=True)
    old.write_text("kind: Old\n")
    write(tmp_path)
    assert below(tmp_path) == files()
    assert not old.parent.exists()


@pytest.mark.parametrize("path", [path for path in below(MANIFESTS) if path.endswith(".yaml")])
def test_a_file_says_where_it_comes_from_and_keeps_to_a_width(path: str) -> None:
    lines = files()[path].splitlines()
    assert lines[0] == "# Made by `python -m installation.render` from installation/: change that, not this file."
    assert all(len(line) <= 120 for line in lines if line.lstrip().startswith("#"))
