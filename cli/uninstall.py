"""`proa uninstall`. Shell."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.markup import escape

from cli.cluster import cluster_options, connected_run, output_option
from cli.printing import console
from cli.progress import told_on
from installation.options import DEFAULT_REVISION
from installation.planning import named
from installation.uninstalling import Asked, Needed, NotAllowed, Outcome, Removed, run

_SECONDS: Final = 180
_MOVE: Final = (
    "\nNothing was changed. Move them first: kubectl label namespace NAME proa.dev/rev=OTHER --overwrite (proa.dev/rev-"
    " for the default revision), and make their pods again. --force removes it all the same."
)
_ALLOWED: Final = "\nNothing was changed: use a context whose user is cluster-admin, or have the verbs granted to you."
_LEFT: Final = (
    "What holds an object up stands in its metadata.finalizers, a namespace's reasons in its status.conditions. Run the"
    " same command again when that is mended."
)
_CARRIED: Final = "\nThese carry sidecars, whose certificates nobody renews without Proa. To make their pods again:"


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
    which = "Proa" if revision is None else named(revision)
    if sys.stdin.isatty() and not (options["yes"] or options["dry_run"]):
        click.confirm(f"Remove {which} from the cluster?", abort=True, err=True)
    with told_on(console(stderr=True)) as told:
        outcome = connected_run(kubeconfig, context, lambda client: run(client, asked, told))
    if output == "json":
        click.echo(json.dumps(_plain(outcome), indent=2))
    else:
        _show(outcome, which, console())
    ctx.exit(_status(outcome))


def _status(outcome: Outcome) -> int:
    return 0 if isinstance(outcome, Removed) and not outcome.left else 1


def _plain(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Needed(namespaces):
            return {"outcome": "refused", "namespaces": list(namespaces)}
        case NotAllowed(lacking):
            return {"outcome": "refused", "lacking": list(lacking)}
        case Removed():
            done = "dry run" if outcome.dry_run else "incomplete" if outcome.left else "removed"
            found = asdict(outcome)
            return {"outcome": done, **{key: found[key] for key in ("titles", "left", "carriers", "labelled")}}


def _show(outcome: Outcome, which: str, out: Console) -> None:
    match outcome:
        case Needed(namespaces):
            _show_lines("Namespaces still ask for this revision:", namespaces, out)
            out.print(_MOVE, soft_wrap=True)
        case NotAllowed(lacking):
            _show_lines("You may not remove all of it:", lacking, out)
            out.print(_ALLOWED, soft_wrap=True)
        case Removed():
            _show_removed(outcome, which, out)


def _show_lines(heading: str, lines: Iterable[str], out: Console) -> None:
    out.print(heading)
    for line in lines:
        out.print(f"  {escape(line)}", soft_wrap=True)


def _show_removed(outcome: Removed, which: str, out: Console) -> None:
    if not outcome.titles:
        out.print(f"Nothing of {escape(which)} is installed.")
    if outcome.dry_run:
        for title in outcome.titles:
            out.print(f"[red]remove[/]  {escape(str(title))}")
        out.print("\nDry run: nothing was changed.")
    elif outcome.left:
        _show_lines("[bold red]Not gone in time:[/]", map(str, outcome.left), out)
        out.print(_LEFT, soft_wrap=True)
    elif outcome.titles:
        out.print(f"{len(outcome.titles)} objects removed.")
    _show_behind(outcome, out)


def _show_behind(outcome: Removed, out: Console) -> None:
    if outcome.carriers:
        lines = (f"{each.owner} ({each.pods}): {each.remedy}" for each in outcome.carriers)
        _show_lines(_CARRIED, lines, out)
    if outcome.labelled:
        heading = "\nThese namespaces keep their labels of Proa, which do nothing without it:"
        _show_lines(heading, (", ".join(outcome.labelled),), out)
