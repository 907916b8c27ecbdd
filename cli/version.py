"""`proa version`. Shell."""

import json

import click

from proa.release import VERSION


@click.command()
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def version(output: str) -> None:
    """Print the version."""
    click.echo(json.dumps({"version": VERSION}) if output == "json" else f"proa {VERSION}")
