"""`proa version`. Shell."""

import json
from importlib.metadata import version as installed_version

import click


@click.command()
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def version(output: str) -> None:
    """Print the version."""
    number = installed_version("proa")
    click.echo(json.dumps({"version": number}) if output == "json" else f"proa {number}")
