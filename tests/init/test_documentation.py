"""The reference page is the one that the code makes, and the page of packets' paths shows every rule."""

from pathlib import Path

from hypothesis import given

from init.documentation import page
from init.rules import ruleset
from proa.capture.interception import Interception
from support.interceptions import interceptions

DOCS = Path(__file__).parents[2] / "docs"
PATHS = (DOCS / "packet-paths.md").read_text(encoding="utf-8")


def test_the_page_is_the_one_of_the_tables() -> None:
    written = (DOCS / "proa-init.md").read_text(encoding="utf-8")
    assert written == page(), "write it: .venv/bin/python -m init.documentation > docs/proa-init.md"


@given(interceptions())
def test_the_page_of_packet_paths_has_every_rule_of_any_settings(wanted: Interception) -> None:
    reasons = {(chain.name, rule.why) for chain in ruleset(wanted).chains for rule in chain.rules}
    assert {(chain, why) for chain, why in reasons if not any(why in row for row in rows(chain))} == set()


def rows(chain: str) -> list[str]:
    """Of the table of every rule, the chain's; and what is said below it of all."""
    table, _, below = PATHS.partition("With `--log-rate`")
    found = [
        row for row in table.splitlines() if row.startswith("|") and chain in row.split("|")[1].replace(",", "").split()
    ]
    return [*found, below.partition("\n\n")[0]]
