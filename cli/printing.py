"""Reports for people: words first, colour only on a terminal. Shell: prints."""

import sys
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from installation.changes import Change, Create, Difference, Keep, Remove, Step
from installation.checks import Failed, NotMade, Passed, Row, Severity

_PIPE_WIDTH = 160
"""Nobody is there to make it wider."""


def console(*, stderr: bool = False) -> Console:
    """Writes as wide as the terminal, or to a pipe without colour and without folding what fits a wide one."""
    stream = sys.stderr if stderr else sys.stdout
    return (
        Console(stderr=stderr, highlight=False)
        if stream.isatty()
        else Console(stderr=stderr, highlight=False, no_color=True, width=_PIPE_WIDTH)
    )


def table(title: str, *headings: str) -> Table:
    """Columns that fold; nobody reads the *headings*."""
    found = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_header=False)
    for heading in headings:
        found.add_column(heading, overflow="fold")
    return found


def show_rows(rows: Iterable[Row], out: Console) -> None:
    """A line for each check, and below it what is at fault and the remedy."""
    for row in rows:
        match row.outcome:
            case Passed():
                out.print(f"[green]ok[/]       {escape(row.title)}")
            case Failed(found):
                out.print(f"{_severity(row.severity)} {escape(row.title)} [dim]({row.code})[/]", soft_wrap=True)
                _show_lines(found, out)
                out.print(f"         [bold]→[/] {escape(row.remedy)}", soft_wrap=True)
            case NotMade(why):
                out.print(f"[yellow]not made[/] {escape(row.title)} [dim]({row.code})[/]", soft_wrap=True)
                _show_lines((why,), out)


def show_steps(steps: Iterable[Step], out: Console) -> None:
    """A line for each object that would change, and below it each field."""
    for step in steps:
        match step:
            case Create(title):
                out.print(f"[green]create[/]  {escape(str(title))}")
            case Remove(title):
                out.print(f"[red]remove[/]  {escape(str(title))}")
            case Change(title, differences):
                out.print(f"[yellow]change[/]  {escape(str(title))}")
                _show_lines(map(_difference, differences), out)
            case Keep():
                pass


def _difference(found: Difference) -> str:
    return f"{found.field}: {found.before or 'nothing'} → {found.after or 'nothing'}"


def _severity(severity: Severity) -> str:
    return "[bold red]PROBLEM[/] " if severity is Severity.PROBLEM else "[yellow]warning[/] "


def _show_lines(lines: Iterable[str], out: Console) -> None:
    for line in lines:
        out.print(f"         {escape(line)}", soft_wrap=True)
