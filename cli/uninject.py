"""`proa uninject`: pods and workloads of a file as they were before their sidecar. Shell."""

from typing import BinaryIO

import click

from cli.manifests import template_paths
from proa.documents import as_json, as_yaml
from webhook.stream import uninjected
from webhook.templates import template_places


@click.command()
@click.option("-f", "--file", "stream", type=click.File("rb"), required=True, help="Manifests; - reads standard input.")
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@template_paths
def uninject(stream: BinaryIO, output: str, templates: tuple[str, ...]) -> None:
    """Write manifests with the sidecar taken out of every pod and pod template, as they were before it was added.

    What carries no sidecar passes through, comments apart. What was done goes to standard error.
    """
    result = uninjected(stream.read(), template_places(templates))
    text = as_json(result.documents) if output == "json" else as_yaml(result.documents)
    for restored in result.objects:
        click.echo(f"{restored.title}: {'sidecar removed' if restored.changed else 'had no sidecar'}", err=True)
    click.echo(text, nl=False)
