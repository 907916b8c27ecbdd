"""What docs/node-mode.md says of distributions, read from there."""

from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "node-mode.md"
_HEADING: Final = "| nodes | `cniConfDir` | `cniBinDir` |"


def distributions() -> dict[str, tuple[str, str]]:
    """By the words of the first column, the directories of the network's configuration and of its plugins."""
    _, _, table = PAGE.read_text(encoding="utf-8").partition(f"{_HEADING}\n")
    rows = table.partition("\n\n")[0].splitlines()[1:]
    cells = ([cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows)
    return {nodes: (configurations, programs) for nodes, configurations, programs in cells}


def directories(nodes: str) -> tuple[str, str]:
    return distributions()[nodes]
