"""What the commands that read manifests have in common. Shell."""

from collections.abc import Callable
from typing import Any, BinaryIO, Final, TypeVar

import click

from proa.mesh import MeshConfiguration
from webhook.trial import tried_configuration

_Command = TypeVar("_Command", bound=Callable[..., Any])

DEFAULTS: Final = "Without --config the mesh configuration is the default one, whatever the cluster has."
"""To be told of what was computed from a file alone."""

template_paths = click.option(
    "--template-path",
    "templates",
    multiple=True,
    metavar="GROUP/KIND=PATH",
    help="Where pods stand in another kind, such as argoproj.io/Rollout=spec.template. May be given again.",
)


def pod_or_file(command: _Command) -> _Command:
    """POD with its namespace, or -f with its configuration: `refuse_both` sees to it that it is one of the two."""
    file = click.File("rb")
    config = "With -f: the mesh configuration, instead of the defaults."
    command = click.option("--config", type=file, help=config)(command)
    command = click.option("-f", "--file", "stream", type=file, help="Manifests instead of a pod; - is stdin.")(command)
    space = click.option("-n", "--namespace", default="default", show_default=True, help="The pod's namespace.")
    return click.argument("pod", required=False)(space(command))


def refuse_both(options: dict[str, Any]) -> None:
    """Raises UsageError."""
    if (options["pod"] is None) == (options["stream"] is None):
        raise click.UsageError("give either a POD or -f FILE")
    if options["config"] is not None and options["stream"] is None:
        raise click.UsageError("--config goes with -f FILE: a POD has its cluster's own")


def configuration(file: BinaryIO | None) -> MeshConfiguration:
    """Of *file*; every default where there is none. Raises Refused."""
    return MeshConfiguration() if file is None else tried_configuration(file.read())
