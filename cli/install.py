"""`proa install`. Shell."""

from typing import Any

import click

from cli.installation import installation_options, run_installation
from installation.planning import installing


@click.command()
@installation_options
@click.pass_context
def install(ctx: click.Context, /, **options: Any) -> None:
    """Install Proa into the namespace proa-system, and wait until it is ready.

    The checks of `proa check` come first: where one finds a problem, nothing is changed. Installing the same version
    again mends what differs. Exits with 0 when ready, 1 when refused or not ready in time, 2 when it could not run.
    """
    ctx.exit(run_installation(installing, options))
