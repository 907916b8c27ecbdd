"""`proa inject`: pods and workloads of a file with their sidecar, without a cluster. Shell."""

from typing import BinaryIO

import click

from cli.manifests import configuration, template_paths
from proa.documents import as_json, as_yaml
from webhook.decision import Inject, Leave
from webhook.stream import Verdict, injected
from webhook.templates import template_places


@click.command()
@click.option("-f", "--file", "stream", type=click.File("rb"), required=True, help="Manifests; - reads standard input.")
@click.option("--config", type=click.File("rb"), help="The mesh configuration; without it every default holds.")
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@template_paths
def inject(stream: BinaryIO, config: BinaryIO | None, output: str, templates: tuple[str, ...]) -> None:
    """Write manifests with the sidecar added to every pod and pod template, as the webhook would add it.

    A namespace counts as labelled unless its Namespace stands in the file. What carries no pod passes through,
    comments apart. What is injected already is brought up to date: this command's own output stays as it is. What
    was decided, and why, goes to standard error, with what kubectl would warn of when the pod is created.
    """
    result = injected(stream.read(), configuration(config), template_places(templates))
    text = as_json(result.documents) if output == "json" else as_yaml(result.documents)
    for verdict in result.verdicts:
        click.echo(_line(verdict), err=True)
        for warning in verdict.warnings:
            click.echo(f"  Warning: {warning}", err=True)
    click.echo(text, nl=False)


def _line(verdict: Verdict) -> str:
    match verdict.decision:
        case Inject(reason):
            return f"{verdict.title}: injected ({reason.code})"
        case Leave(reason):
            return f"{verdict.title}: left as it is ({reason.code}): {reason.sentence}"
