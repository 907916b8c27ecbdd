"""`proa render`. Shell."""

from typing import Any

import click

from cli.installation import asked_choices, asked_revision, choice_options
from installation.objects import described
from installation.options import Options, Scope
from installation.render.yaml_text import yaml_text

_SCOPE = "Which objects: what all revisions share, what one has of its own, or both."


@click.command()
@choice_options
@click.option("--scope", type=click.Choice(["all", "shared", "revision"]), default="all", help=_SCOPE)
def render(**options: Any) -> None:
    """Print the objects that `proa install` would apply to an empty cluster, for a repository or another tool.

    No cluster is asked and nothing checked but the options. Among them is the webhook's registration, which is made of
    the mesh configuration: render again when that changes, and apply with kubectl apply --server-side -f -.
    """
    chosen = Options(revision=asked_revision(options), scope=Scope(options["scope"]))
    click.echo(yaml_text(described(asked_choices(options).laid_on(chosen))), nl=False)
