"""What the commands that read manifests have in common. Shell."""

import click

template_paths = click.option(
    "--template-path",
    "templates",
    multiple=True,
    metavar="GROUP/KIND=PATH",
    help="Where pods stand in another kind, such as argoproj.io/Rollout=spec.template. May be given again.",
)
