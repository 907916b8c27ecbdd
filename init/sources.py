"""Where settings come from: flags before the environment before a file. Pure."""

from __future__ import annotations

from proa.capture.settings import SETTINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Final

PREFIX: Final = "PROA_INIT_"
"""Of environment variables: `PROA_INIT_EXCLUDE_OUTBOUND_PORTS` is `--exclude-outbound-ports`."""


def arguments(given: Sequence[str], environment: Mapping[str, str], file: str) -> tuple[str, ...]:
    """*given*, and what the environment and then *file* say of other settings.

    A line of the file is a flag without its dashes, `=` and the value; empty lines and comments with `#` mean nothing.
    """
    named = {word.partition("=")[0] for word in given}
    chosen = dict(_of_file(file)) | dict(_of_environment(environment))
    return (*(f"{flag}={value}" for flag, value in chosen.items() if flag not in named), *given)


def _of_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for flag in SETTINGS:
        if (value := environment.get(PREFIX + flag[2:].replace("-", "_").upper())) is not None:
            yield flag, value


def _of_file(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if (stripped := line.strip()) and not stripped.startswith("#"):
            flag, _, value = stripped.partition("=")
            yield f"--{flag.strip()}", value.strip()
