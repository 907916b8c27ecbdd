"""`proa status`. Shell."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.cluster import cluster_options, connected_run, output_option
from cli.printing import console
from installation.coverage import Coverage, State, groups
from installation.observing import Observed, observed
from installation.planning import named
from installation.workloads import renewal
from proa import names

_ALARMING: Final = (State.MISSING, State.OUTDATED, State.REFUSED)


@click.command()
@click.option("-n", "--namespace", help="Only this namespace.")
@cluster_options
@output_option
@click.pass_context
def status(
    ctx: click.Context, /, kubeconfig: Path | None, context: str | None, output: str, namespace: str | None
) -> None:
    """Show which pods have their sidecar, which lack it or have an outdated one, and why.

    Shows the namespaces that are opted in or have pods that are. Exits with 0 when every pod has what its namespace
    asks for, 1 when one has not, 2 when it cannot be said.
    """
    found = connected_run(kubeconfig, context, lambda client: observed(client, namespace))
    if output == "json":
        click.echo(json.dumps(_plain(found), indent=2))
    else:
        _show(found, namespace, console())
    ctx.exit(0 if found.sound else 1)


def _plain(found: Observed) -> dict[str, Any]:
    return {
        "ok": found.sound,
        "revisions": [asdict(each) for each in found.revisions],
        "namespaces": [
            {**asdict(each), "counts": {str(state): each.count(state) for state in State}, "ok": each.sound}
            for each in found.namespaces
        ],
    }


def _show(found: Observed, namespace: str | None, out: Console) -> None:
    if not found.revisions:
        out.print("No revision of Proa is installed.")
    for revision in found.revisions:
        if revision.problem:
            out.print(f"[bold red]PROBLEM[/] {named(revision.name)}: {escape(revision.problem)}", soft_wrap=True)
    if not found.namespaces:
        which = "No namespace is" if namespace is None else f"Namespace {namespace} is not"
        out.print(f"{which} opted in: kubectl label namespace {namespace or 'NAME'} {names.INJECT}=enabled")
        return
    out.print(_table(found.namespaces))
    for each in found.namespaces:
        _show_faults(each, out)


def _table(namespaces: tuple[Coverage, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("namespace", "inject", "revision", "on failure"):
        table.add_column(heading)
    for state in State:
        table.add_column(state.value, justify="right")
    for each in namespaces:
        counts = [_count(each.count(state), alarming=state in _ALARMING) for state in State]
        table.add_row(
            escape(each.namespace), escape(each.wish or "-"), escape(each.revision or "-"), each.on_failure, *counts
        )
    return table


def _show_faults(found: Coverage, out: Console) -> None:
    for fault in found.faults:
        out.print(f"[bold red]PROBLEM[/] namespace {escape(found.namespace)}: {escape(fault)}", soft_wrap=True)
    for each in groups(found, *_ALARMING):
        number = f" ({each.count} pods)" if each.count > 1 else ""
        out.print(f"[yellow]{each.state}[/] {escape(str(each.owner))}{number}: {escape(each.reason)}", soft_wrap=True)
        out.print(f"         [bold]→[/] {escape(renewal(each.owner))}", soft_wrap=True)


def _count(number: int, *, alarming: bool) -> str:
    return f"[bold red]{number}[/]" if alarming and number else str(number)
