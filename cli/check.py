"""`proa check`: whether Proa can be installed, or does what it promises. Shell."""

import json
from pathlib import Path

import click

from cli.cluster import cluster_options, connected_run, output_option
from cli.printing import console, show_rows
from cli.rows import plain_row
from installation.checking import checked
from installation.checks import problems


@click.command()
@cluster_options
@output_option
@click.option("--pre", is_flag=True, help="Only whether it can be installed, also where it is.")
@click.option("--revision", help="The revision to look at; the default one, or the only one there is, unless given.")
@click.pass_context
def check(
    ctx: click.Context, kubeconfig: Path | None, context: str | None, output: str, revision: str | None, *, pre: bool
) -> None:
    """Look for what would keep Proa from being installed, or keeps it from working.

    Changes nothing. Exits with 0 where all is well, 1 where something is wrong, 2 where it cannot be said.
    Each message has an entry in docs/troubleshooting.md, by the code beside it.
    """
    report = connected_run(kubeconfig, context, lambda client: checked(client, revision, pre=pre))
    wrong = problems(report.rows)
    if output == "json":
        told = {"ok": not wrong, "scope": report.scope, "revision": report.revision}
        click.echo(json.dumps({**told, "checks": [*map(plain_row, report.rows)]}, indent=2))
    else:
        out = console()
        show_rows(report.rows, out)
        out.print(f"\n{report.conclusion}")
    ctx.exit(1 if wrong else 0)
