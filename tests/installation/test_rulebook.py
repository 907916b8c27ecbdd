"""docs/injection.md is what the rules say, and what the command says about the pods in it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from installation.puzzles import PUZZLES, Puzzle
from installation.rulebook import rulebook
from webhook.decision import RULES

DOCUMENT = Path(__file__).parents[2] / "docs" / "injection.md"


def test_the_document_is_what_the_rules_and_the_pods_say() -> None:
    written = DOCUMENT.read_text(encoding="utf-8")
    assert written == rulebook(), "write it: .venv/bin/python -m installation.rulebook > docs/injection.md"


def test_every_rule_stands_in_the_table_in_its_place() -> None:
    rows = [line for line in rulebook().splitlines() if line.startswith("| ") and line.split("|")[1].strip().isdigit()]
    assert [row.split("|")[2].strip() for row in rows] == [f"`{rule.code}`" for rule in RULES]
    assert all(rule.sentence in row for rule, row in zip(RULES, rows, strict=True))


@pytest.mark.parametrize("puzzle", PUZZLES, ids=lambda puzzle: puzzle.question)
def test_the_command_answers_as_the_document_says(puzzle: Puzzle, tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(puzzle.configuration)
    (tmp_path / "pod.yaml").write_text(puzzle.stream)
    said = CliRunner().invoke(main, ["explain", "-f", f"{tmp_path}/pod.yaml", "--config", f"{tmp_path}/mesh.yaml"])
    assert said.exit_code in (0, 1)
    for line in puzzle.answer:
        assert line in said.output
