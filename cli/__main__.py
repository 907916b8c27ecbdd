"""The `proa` command: a table of commands, each imported when it is asked for. Shell.

Whatever Proa refuses ends here: its message on standard error, nothing on standard output, exit status 2.
"""

from importlib import import_module
from typing import Any, Final, cast

import click

from proa.errors import Invalid, ProaError, shown

_COMMANDS: Final = {
    "ca": "cli.ca:ca",
    "check": "cli.check:check",
    "demo": "cli.demo:demo",
    "explain": "cli.explain:explain",
    "inject": "cli.inject:inject",
    "install": "cli.install:install",
    "render": "cli.render:render",
    "status": "cli.status:status",
    "trace": "cli.trace:trace",
    "uninject": "cli.uninject:uninject",
    "uninstall": "cli.uninstall:uninstall",
    "upgrade": "cli.upgrade:upgrade",
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(str(Invalid("command", shown(args[0]), ", ".join(self.list_commands(ctx)))))
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except click.NoSuchOption as error:
            raise _explained(error) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            raise _explained(error) from error
        except ProaError as error:
            raise _Refusal(_with_remedy(error)) from error


def _with_remedy(error: ProaError) -> str:
    """A failure that is no mistake in the input needs more than its words."""
    remedies = import_module("installation.obstacles")
    known = remedies.remedy(error.code)
    return f"{error}\n  → {known}" if known else str(error)


def _explained(error: click.NoSuchOption) -> click.UsageError:
    """click says what was found; a user wants to know what is allowed, too."""
    known = error.ctx.command.get_params(error.ctx) if error.ctx else []
    flags = ", ".join(name for one in known for name in one.opts if name.startswith("-"))
    return click.UsageError(str(Invalid("option", shown(error.option_name), flags)), error.ctx)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Sidecars for Kubernetes pods: stock Envoy, transparent interception, workload certificates."""


if __name__ == "__main__":
    main()
