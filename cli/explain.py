"""`proa explain`. Shell."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.cluster import cluster_options, connected_run, output_option, place
from cli.manifests import DEFAULTS, configuration, pod_or_file, refuse_both
from cli.printing import console, table
from installation.explanation import Answer, Asked, Edit, Explanation, Step, Verdict
from installation.offline import Traced, traced
from installation.tracing import traced_pod
from proa import names
from proa.capture.settings import SETTINGS

_LONGEST: Final = 100
"""Characters of a value of the patch; `-o json` has all of it."""
_COLOURS: Final = {
    Answer.YES: "bold green",
    Answer.REFUSED: "bold red",
    Answer.NOT_REACHED: "dim",
    Answer.NOT_CONFIGURED: "dim",
    Answer.NO: "default",
}
_TOGETHER: Final = {
    Answer.NOT_CONFIGURED: "they ask what the mesh configuration does not set",
    Answer.NOT_REACHED: "",
}
"""Answers that many rules have in common: these are counted."""


@click.command()
@pod_or_file
@cluster_options
@output_option
@click.pass_context
def explain(ctx: click.Context, /, kubeconfig: Path | None, context: str | None, output: str, **options: Any) -> None:
    """Say why POD (or NAMESPACE/POD), or each pod of a file, is injected or is not.

    Shows every rule of the decision and what came of it, the webhook entry that matches or what keeps the pod from
    each, and the patch. With -f no cluster is asked. Exits with 1 where a pod is refused, 2 where it cannot be said.
    """
    refuse_both(options)
    found: tuple[Traced, ...]
    if options["stream"] is None:
        namespace, name = place(options["pod"], options["namespace"])
        found = (connected_run(kubeconfig, context, lambda client: traced_pod(client, namespace, name)),)
    else:
        found = traced(options["stream"].read(), configuration(options["config"]))
    if output == "json":
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        _show(found, console())
        if options["stream"] is not None and options["config"] is None:
            console().print(f"[dim]{DEFAULTS}[/]", soft_wrap=True)
    ctx.exit(1 if any(each.explanation.verdict is Verdict.REFUSED for each in found) else 0)


def _show(found: tuple[Traced, ...], out: Console) -> None:
    if not found:
        out.print("There is no pod in the file.")
    for each in found:
        out.print(f"[bold]{escape(each.title)}[/]: {escape(each.explanation.conclusion)}", soft_wrap=True)
        for note in each.notes:
            out.print(f"[dim]note:[/] {escape(note)}", soft_wrap=True)
        _show_explanation(each.explanation, out)


def _show_explanation(told: Explanation, out: Console) -> None:
    for warning in told.warnings:
        out.print(f"[yellow]Warning:[/] {escape(warning)}", soft_wrap=True)
    for each in told.interception:
        out.print(f"Interception: {escape(_meaning(each))}", soft_wrap=True)
    out.print(_rules(told))
    out.print(_entries(told))
    if told.edits:
        out.print(f"Patch: {len(told.edits)} operations; -o json shows them whole", soft_wrap=True)
        for edit in told.edits:
            out.print(f"  {edit.operation} {escape(edit.path)}{_value(edit)}", soft_wrap=True)


def _meaning(argument: str) -> str:
    flag, _, value = argument.partition("=")
    return f"{flag[2:]} {value or 'nothing'} ({SETTINGS[flag].purpose})"


def _rules(told: Explanation) -> Table:
    rules = table("Rules, in their order; the first that says yes decides", "", "rule", "what it says")
    for step in told.steps:
        if step.answer not in _TOGETHER:
            rules.add_row(f"[{_COLOURS[step.answer]}]{step.answer}[/]", step.code, _sentence(step))
    for answer, why in _TOGETHER.items():
        if count := sum(step.answer is answer for step in told.steps):
            rules.add_row(f"[{_COLOURS[answer]}]{answer}[/]", f"{count} more", why)
    return rules


def _entries(told: Explanation) -> Table:
    entries = table("Webhook entries that the API server compares the pod with", "", "entry", "")
    if matching := [entry for entry in told.entries if not entry.stopped]:
        others, why = [entry for entry in told.entries if entry.stopped], "-o json says what keeps the pod from each"
    else:
        others = [entry for entry in told.entries if f" {names.REVISION}" in entry.stopped]
        why = f"the namespace's {names.REVISION} chooses another revision"
    for entry in matching or [entry for entry in told.entries if entry not in others]:
        entries.add_row(*_entry(entry))
    if others:
        entries.add_row("no", f"{len(others)} others", why)
    return entries


def _sentence(step: Step) -> str:
    return escape(f"{step.sentence}: {step.note}" if step.note else step.sentence)


def _entry(entry: Asked) -> tuple[str, str, str]:
    if entry.stopped:
        return "no", escape(entry.entry), escape(entry.stopped)
    fate = "is refused" if entry.fails == "Fail" else "gets in bare"
    return "[bold green]yes[/]", escape(entry.entry), f"while no webhook answers, the pod {fate}"


def _value(edit: Edit) -> str:
    if edit.operation == "remove":
        return ""
    written = json.dumps(edit.value)
    return escape(f" {written}" if len(written) <= _LONGEST else f" {written[:_LONGEST]}…")
