"""What a long command does, while it does it: one moving line on a terminal, lines that come once elsewhere. Shell."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


@contextmanager
def told_on(out: Console) -> Generator[Callable[[str], None]]:
    """A function that shows what it is told; the same thing twice in a row is shown once."""
    if out.is_terminal:
        with out.status("") as status:
            yield lambda text: status.update(escape(text))
        return
    last = [""]

    def told(text: str) -> None:
        if text != last[0]:
            last[0] = text
            out.print(escape(text), soft_wrap=True)

    yield told
