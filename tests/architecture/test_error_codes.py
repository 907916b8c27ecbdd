"""The codes of errors, which machines go by: spelled one way, and each of one error alone."""

import importlib
import pkgutil
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from proa.errors import ProaError

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def errors(kind: type[ProaError] = ProaError) -> Iterator[type[ProaError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from errors(below)


def every_error() -> list[type[ProaError]]:
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return [kind for kind in errors() if kind.__module__.split(".")[0] in PACKAGES]


def test_every_code_is_words_joined_by_underscores_and_of_one_error_alone() -> None:
    codes = Counter(kind.code for kind in every_error())
    assert len(codes) > 20
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(_[a-z]+)*", code)] == []
    assert [code for code, errors in codes.items() if errors > 1] == []
