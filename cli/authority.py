"""The certificate authority's reports, for people. Shell: prints."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ca.examination import Finding, Roots
from ca.overview import Holding, Overview
from ca.revocation.overview import Standing

_SHORT = 16
"""Characters of a fingerprint; `-o json` has all of it."""


def show_overview(found: Overview, out: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("certificate", "sha256", "key", "its key", "pods trust it", "ends", "left"):
        table.add_column(heading)
    for each in found.holdings:
        table.add_row(*_row(each))
    out.print(table)
    out.print(f"Rotation: [bold]{found.phase}[/]. {escape(found.told)}", soft_wrap=True)
    if found.wish:
        out.print(f"Asked for, and not looked at yet: {escape(found.wish)}", soft_wrap=True)
    _show_problems(found.problems, out)


def show_revocation(found: Standing, out: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("CRL of", "that issuer", "number", "lists", "holds until"):
        table.add_column(heading)
    for each in found.crls:
        until = f"{each.next_update:%Y-%m-%d %H:%M}"
        table.add_row(each.issuer[:_SHORT], each.role, str(each.number), str(each.revoked), until)
    out.print(table)
    out.print(f"Revoked: {', '.join(found.revoked) or 'none'}.", soft_wrap=True)
    _show_problems(found.problems, out)


def show_findings(findings: tuple[Finding, ...], roots: Roots | None, out: Console) -> None:
    for each in findings:
        out.print(f"[bold]{escape(each.what[0].upper() + each.what[1:])}[/]", soft_wrap=True)
        for sentence in each.proves:
            out.print(f"  {escape(sentence)}", soft_wrap=True)
        for name, value in each.facts.items():
            out.print(f"  [dim]{name}:[/] {escape(value)}", soft_wrap=True)
        _show_problems(each.problems, out)
    if roots is None:
        out.print("Not compared with any roots: give those that a peer trusts by --roots.", soft_wrap=True)
    elif not any(each.problems for each in findings):
        out.print(f"[green]ok[/] A peer that trusts the roots {escape(roots.where)} takes it.", soft_wrap=True)


def _row(each: Holding) -> tuple[str, ...]:
    published = "-" if each.role == "issuer" else _yes(each.published)
    left = f"[bold red]{each.left}[/]" if each.left == "expired" else each.left
    stored = "in the cluster" if each.key_stored else "elsewhere"
    return each.role, each.sha256[:_SHORT], each.key, stored, published, f"{each.not_after:%Y-%m-%d %H:%M}", left


def _yes(value: bool) -> str:  # noqa: FBT001 - a cell of a table
    return "yes" if value else "[bold red]no[/]"


def _show_problems(problems: tuple[str, ...], out: Console) -> None:
    for problem in problems:
        out.print(f"  [bold red]PROBLEM[/] {escape(problem)}", soft_wrap=True)
