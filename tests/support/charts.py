"""Helm as a value, and Proa's chart."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from installation.render.__main__ import MANIFESTS
from proa.documents import plain, read
from proa.json import Json

CHART: Final = MANIFESTS / "chart"


@dataclass(frozen=True, slots=True)
class Helm:
    program: Path
    home: Path
    """Where it may write: what it keeps of the user's stays out of a test."""

    def __call__(self, *arguments: str, values: Mapping[str, Json] | None = None) -> str:
        """What helm wrote; *values* lie over the chart's. Raises CalledProcessError."""
        environment = {"HOME": str(self.home), "PATH": ""}
        given = () if values is None else ("--values", "-")
        command = (str(self.program), *arguments, *given)
        text = None if values is None else json.dumps(values)
        done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    def template(self, values: Mapping[str, Json], namespace: str = "default") -> list[Any]:
        """The objects that the chart renders."""
        text = self("template", "proa", str(CHART), f"--namespace={namespace}", values=values)
        return [plain(each) for each in read(text)]

    def refusal(self, values: Mapping[str, Json]) -> str:
        """Why helm renders nothing for *values*; empty where it does."""
        try:
            self.template(values)
        except subprocess.CalledProcessError as error:
            return str(error.stderr)
        return ""
