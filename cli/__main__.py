"""The `proa` command: a table of commands, each imported when it is asked for. Shell.

Whatever Proa refuses ends here: its message on standard error, nothing on standard output, exit status 2.
"""

from importlib import import_module
from typing import Any, Final, cast

import click

from proa.errors import ProaError

_COMMANDS: Final = {
    "demo": "cli.demo:demo",
    "inject": "cli.inject:inject",
    "version": "cli.version:version",
}
"""Name to module and attribute: a command that is not run costs nothing."""


class _Refusal(click.ClickException):
    """What click shows of a ProaError."""

    exit_code = 2


class _Commands(click.Group):
    """The commands of the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        return cast("click.Command", getattr(import_module(module), name))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ProaError as error:
            raise _Refusal(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Sidecars for Kubernetes pods: stock Envoy, transparent interception, workload certificates."""


if __name__ == "__main__":
    main()
