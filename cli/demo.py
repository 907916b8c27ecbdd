"""`proa demo`: the product on one machine, without a cluster. Shell."""

import json
import logging
import os
import sys
from dataclasses import asdict
from typing import Final, Literal, TypeAlias

import click

Output: TypeAlias = Literal["table", "json"]

_PIPE_WIDTH: Final = 120
_LOOK_AROUND: Final = """
Everything is still running. Look around:
  proa demo exec client -- python3 -c "import urllib.request as r; print(r.urlopen('{url}').read())"
  proa demo exec web -c proa-proxy -- cat /var/run/proa.dev/bootstrap/envoy.json
  ip netns exec proa-demo-client nft list table inet proa
  tail -f /run/proa-demo/pods/web/proa-proxy/log
Then remove it:
  proa demo down
"""


@click.group(invoke_without_command=True)
@click.option("--keep", is_flag=True, help="Leave everything running, and print how to look around.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def demo(context: click.Context, output: Output, *, keep: bool) -> None:
    """Inject, intercept, certify and encrypt real traffic between two pods on this machine.

    Needs root, nftables and the package's `demo` extra. Exits with 1 where something promised was not seen.
    """
    if context.invoked_subcommand is None:
        context.exit(_run(output, keep=keep))


@demo.command()
def down() -> None:
    """Remove a demo that was kept."""
    from demo.session import take_down  # noqa: PLC0415 - not imported for other commands

    removed = take_down()
    click.echo(f"removed: {', '.join(removed)}" if removed else "nothing to remove")


@demo.command("exec")
@click.argument("pod")
@click.option("-c", "--container", help="A container of the pod; the first of its applications unless given.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(pod: str, container: str | None, command: tuple[str, ...]) -> None:
    """Run COMMAND in POD of a demo that was kept, as the container's user: proa demo exec client -- CMD."""
    from demo.session import command_in  # noqa: PLC0415 - not imported for other commands

    found = command_in(pod, container, command)
    os.execvpe(found.argv[0], found.argv, found.env)  # noqa: S606 - what the user asked for, where they asked for it


def _run(output: Output, *, keep: bool) -> int:
    from rich.console import Console  # noqa: PLC0415 - `proa version` should not wait for it

    from demo.session import run  # noqa: PLC0415 - as above
    from proa.telemetry import configure_logging  # noqa: PLC0415 - as above

    configure_logging(logging.WARNING)
    progress = Console(stderr=True)
    proof = run(lambda step: progress.print(f"[dim]·[/] {step}"), keep=keep)

    from demo.proof import claims  # noqa: PLC0415 - there is a proof, so the demo's packages are there
    from demo.report import show  # noqa: PLC0415 - as above

    judged = claims(proof)
    if output == "json":
        click.echo(json.dumps({**asdict(proof), "claims": [asdict(claim) for claim in judged]}, indent=2))
    else:
        # Not a terminal: nobody is there to make it wider, and an identity cut short proves nothing.
        show(proof, judged, Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH))
    if keep:
        click.echo(_LOOK_AROUND.format(url=f"http://{proof.journeys[0].dialled}/"), err=True)
    return 0 if all(claim.holds for claim in judged) else 1
