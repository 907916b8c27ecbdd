"""`proa uninstall`. Shell."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from cli.cluster import cluster_options, connected_run, output_option
from cli.printing import console
from cli.progress import told_on
from installation.options import DEFAULT_REVISION
from installation.planning import named
from installation.uninstalling import Asked, Needed, Outcome, Removed, run

_SECONDS = 180


@click.command()
@cluster_options
@output_option
@click.option("--revision", help="Only this revision, and nothing that is shared; `default` is the one without a name.")
@click.option("--force", is_flag=True, help="Also while namespaces ask for that revision.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, which it does on a terminal only.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and change nothing.")
@click.option("--timeout", type=click.IntRange(min=0), default=_SECONDS, show_default=True, help="Seconds to wait.")
@click.pass_context
def uninstall(ctx: click.Context, /, kubeconfig: Path | None, context: str | None, output: str, **options: Any) -> None:
    """Remove Proa from the cluster: the registration first, so that nothing waits for a webhook that is gone.

    Pods keep their sidecars until they are made again; it says which, and how. Exits with 0 when everything is gone,
    1 when refused or something is left, 2 when it could not run.
    """
    revision = "" if options["revision"] == DEFAULT_REVISION else options["revision"]
    asked = Asked(revision, options["dry_run"], options["force"], options["timeout"])
    if sys.stdin.isatty() and not (options["yes"] or options["dry_run"]):
        which = "Proa" if revision is None else named(revision)
        click.confirm(f"Remove {which} from the cluster?", abort=True, err=True)
    with told_on(console(stderr=True)) as told:
        outcome = connected_run(kubeconfig, context, lambda client: run(client, asked, told))
    if output == "json":
        click.echo(json.dumps(_plain(outcome), indent=2))
    else:
        _show(outcome, console())
    ctx.exit(_status(outcome))


def _status(outcome: Outcome) -> int:
    return 1 if isinstance(outcome, Needed) or outcome.left else 0


def _plain(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Needed):
        return {"outcome": "refused", "namespaces": list(outcome.namespaces)}
    done = "dry run" if outcome.dry_run else "incomplete" if outcome.left else "removed"
    found = asdict(outcome)
    return {"outcome": done, **{key: found[key] for key in ("titles", "left", "carriers", "labelled")}}


def _show(outcome: Outcome, out: Console) -> None:
    if isinstance(outcome, Needed):
        out.print("Namespaces still ask for this revision:")
        for name in outcome.namespaces:
            out.print(f"  {name}")
        out.print("\nNothing was changed. Move them first: kubectl label namespace NAME proa.dev/rev=OTHER --overwrite")
        out.print(
            "(proa.dev/rev- for the default revision), and make their pods again. --force removes it all the same."
        )
        return
    _show_removed(outcome, out)


def _show_removed(outcome: Removed, out: Console) -> None:
    if not outcome.titles:
        out.print("Nothing of Proa is installed.")
    if outcome.dry_run:
        for title in outcome.titles:
            out.print(f"[red]remove[/]  {escape(str(title))}")
        out.print("\nDry run: nothing was changed.")
    elif outcome.left:
        out.print("[bold red]Not gone in time:[/]")
        for title in outcome.left:
            out.print(f"  {escape(str(title))}")
    elif outcome.titles:
        out.print(f"{len(outcome.titles)} objects removed.")
    _show_behind(outcome, out)


def _show_behind(outcome: Removed, out: Console) -> None:
    if outcome.carriers:
        out.print("\nThese still carry sidecars, whose certificates nobody renews any more. To make their pods again:")
        for carrier in outcome.carriers:
            out.print(f"  {escape(str(carrier.owner))} ({carrier.pods}): {escape(carrier.remedy)}", soft_wrap=True)
    if outcome.labelled:
        out.print("\nThese namespaces keep their labels of Proa, which do nothing without it:")
        out.print(f"  {', '.join(outcome.labelled)}", soft_wrap=True)
