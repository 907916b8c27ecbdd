"""`proa upgrade`. Shell."""

from typing import Any

import click

from cli.installation import installation_options, run_installation
from installation.planning import upgrading


@click.command()
@installation_options
@click.pass_context
def upgrade(ctx: click.Context, /, **options: Any) -> None:
    """Bring an installation to this command's version, and wait until it is ready.

    Options that are not given stay as they are, and so does the mesh configuration. Pods keep the sidecar that they
    have until they are made again: `proa status` names the outdated ones. Exits as `proa install` does.
    """
    ctx.exit(run_installation(upgrading, options))
