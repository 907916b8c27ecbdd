"""What `proa install` and `proa upgrade` have in common: their options, their report. Shell."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape

from cli.cluster import cluster_options, connected_run, output_option
from cli.printing import console, show_rows, show_steps
from cli.progress import told_on
from cli.rows import plain_row
from installation.changes import Step
from installation.checks import problems
from installation.installing import Applied, Asked, Outcome, Planned, Planning, Refused, Started, changed, run
from installation.options import DEFAULT_REVISION, PodSecurity, Profile, PullPolicy
from installation.planning import Given, mesh_document
from installation.preflight import PREFLIGHT
from proa.errors import Invalid, shown
from webhook.registration import Trust

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SECONDS = 180
_TIMEOUT = "Seconds to wait until it is ready; 0 does not wait."


def choice_options(command: _Command) -> _Command:
    """What is installed: each is given to the command under the name of its field in `planning.Given`."""
    options = (
        click.option("--revision", default="", help="A name, for a version beside others; none is the default one."),
        click.option("--image", help="Proa's image; its own name and version unless given."),
        click.option("--pull-policy", type=click.Choice(["IfNotPresent", "Always", "Never"]), help="Of Proa's pods."),
        click.option("--profile", type=click.Choice(["minimal", "default", "ha"]), help="1, 2 or 3 of each part."),
        click.option("--replicas", type=click.IntRange(min=1), help="Another number of each part than the profile's."),
        click.option("--set-config", type=click.File("rb"), metavar="FILE", help="The mesh configuration; - is stdin."),
        click.option("--certificates", type=click.Choice(["proa", "cert-manager"]), help="Who issues the webhook's."),
        click.option("--pod-security", type=click.Choice(["off", "baseline"]), help="Proa's policy for namespaces."),
    )
    return _with(command, options)


def installation_options(command: _Command) -> _Command:
    """Those of both commands: what is installed, and how."""
    how = (
        click.option("--ignore", multiple=True, metavar="CODE", help="A check that is not to keep Proa out."),
        click.option("--force-conflicts", is_flag=True, help="Take over fields that another manager has set."),
        click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing."),
        click.option("--timeout", type=click.IntRange(min=0), default=_SECONDS, show_default=True, help=_TIMEOUT),
    )
    return choice_options(_with(command, (*how, output_option, cluster_options)))


def _with(command: _Command, options: Sequence[Callable[[_Command], _Command]]) -> _Command:
    for option in reversed(options):
        command = option(command)
    return command


def run_installation(planning: Planning, options: dict[str, Any]) -> int:
    """Does what *options* ask and reports it; the exit status. Raises ProaErrors."""
    asked = _asked(options)
    with told_on(console(stderr=True)) as told:
        outcome = connected_run(
            options["kubeconfig"], options["context"], lambda client: run(client, planning, asked, told)
        )
    if options["output"] == "json":
        click.echo(json.dumps(_plain(outcome), indent=2))
    else:
        _show(outcome, console())
    return _status(outcome)


def _asked(options: dict[str, Any]) -> Asked:
    known = [each.code for each in PREFLIGHT]
    for code in options["ignore"]:
        if code not in known:
            raise Invalid("--ignore", shown(code), ", ".join(known))
    return Asked(
        revision=asked_revision(options),
        given=asked_choices(options),
        ignored=frozenset(options["ignore"]),
        dry_run=options["dry_run"],
        force=options["force_conflicts"],
        seconds=options["timeout"],
    )


def asked_revision(options: dict[str, Any]) -> str:
    return "" if options["revision"] == DEFAULT_REVISION else str(options["revision"])


def asked_choices(options: dict[str, Any]) -> Given:
    """Raises ProaErrors for a mesh configuration that is none."""

    def chosen(name: str, kind: Callable[[str], Any]) -> Any:
        return None if options[name] is None else kind(options[name])

    return Given(
        image=options["image"],
        profile=chosen("profile", Profile),
        replicas=options["replicas"],
        pull_policy=chosen("pull_policy", PullPolicy),
        trust=chosen("certificates", Trust),
        pod_security=chosen("pod_security", PodSecurity),
        mesh=None if options["set_config"] is None else mesh_document(options["set_config"].read()),
    )


def _status(outcome: Outcome) -> int:
    match outcome:
        case Refused():
            return 1
        case Planned() | Started():
            return 0
        case Applied():
            return 1 if outcome.outstanding or problems(outcome.rows) else 0


def _plain(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Refused(rows):
            return {"outcome": "refused", "changes": [], "checks": [*map(plain_row, rows)]}
        case Planned(steps):
            return {"outcome": "dry run", "changes": [*map(_plain_step, steps)]}
        case Started(steps):
            return {"outcome": "started", "changes": [*map(_plain_step, steps)]}
        case Applied(steps, outstanding, rows):
            return {
                "outcome": "not ready" if _status(outcome) else "applied",
                "changes": [*map(_plain_step, steps)],
                "outstanding": list(outstanding),
                "checks": [*map(plain_row, rows)],
            }


def _plain_step(step: Step) -> dict[str, Any]:
    return {"action": type(step).__name__.lower(), **asdict(step)}


def _show(outcome: Outcome, out: Console) -> None:
    match outcome:
        case Refused(rows):
            show_rows(rows, out)
            out.print("\nNothing was changed: mend the above first, or name its code with --ignore.")
        case Planned(steps):
            show_steps(steps, out)
            out.print(f"\nDry run: {len(changed(steps))} of {len(steps)} objects would change. Nothing was changed.")
        case Started(steps):
            out.print(f"{len(changed(steps))} of {len(steps)} objects changed. proa check says when Proa is ready.")
        case Applied(steps, outstanding, rows):
            show_rows(rows, out)
            out.print(f"{len(changed(steps))} of {len(steps)} objects changed.")
            _show_end(_status(outcome), outstanding, out)


def _show_end(status: int, outstanding: tuple[str, ...], out: Console) -> None:
    if status == 0:
        out.print("Proa is ready. Opt a namespace in: kubectl label namespace NAME proa.dev/inject=enabled")
        return
    if outstanding:
        out.print("[bold red]Not ready in time.[/] Still waiting for:")
        for line in outstanding:
            out.print(f"  {escape(line)}", soft_wrap=True)
    out.print("What was applied stays. Mend what is named above; proa check says when all is well.")
