"""`proa ca rotate`: what is asked of the leader, and who may suffer by it. Shell."""

import json
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from ca.holders import Holders
from ca.overview import Overview, advanced, check_abortable, check_startable, overview
from ca.phases import LONGEST_SETTLING, Abort, Phase, Start, Wish, name_of
from ca.rotation import SHORTEST_SETTLING
from ca.writes import Found
from cli.authority import show_overview
from cli.cluster import cluster_options, connected_run, output_option
from cli.printing import console
from proa.clock import system_clock

PATIENCE: Final = 30.0
"""Seconds for the leader to take notice."""
_SETTLE: Final = click.IntRange(int(SHORTEST_SETTLING.total_seconds()), int(LONGEST_SETTLING.total_seconds()))
_SETTLE_HELP: Final = "How long pods have to learn the next root; as long as a certificate may live, unless given."
_RISK: Final = "A pod that does not have the other root yet, or a leaf that is alive, may fail in handshakes. Go on?"


@click.command()
@click.option("--settle", type=_SETTLE, metavar="SECONDS", help=_SETTLE_HELP)
@click.option("--advance", is_flag=True, help="End the wait that goes on; it keeps handshakes from failing.")
@click.option("--abort", is_flag=True, help="Withdraw the next root; if it issues already, let the former one issue.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cluster_options
@output_option
def rotate(kubeconfig: Path | None, context: str | None, settle: int | None, output: str, **flags: bool) -> None:
    """Replace the root and its key, in phases that break no handshake.

    Says what the leader made of it, and returns: `proa ca status` shows how it goes on. --advance says before it asks
    who has certificates of the former root, as far as the API server knows. Exits with 0 where the leader has taken it
    up, 2 where it cannot be done.
    """
    advance, abort = flags["advance"], flags["abort"]
    if sum((advance, abort, settle is not None)) > 1:
        raise click.UsageError("--settle, --advance and --abort exclude each other")
    stands = connected_run(kubeconfig, context, found)
    wanted = _wanted(stands, settle, advance=advance, abort=abort)
    holding = connected_run(kubeconfig, context, lambda client: _held(client, stands)) if advance else None
    if holding:
        click.echo(str(holding), err=output == "json")
    if advance and not flags["yes"]:
        click.confirm(_RISK, abort=True, err=output == "json")
    phase = connected_run(kubeconfig, context, lambda client: _wish(client, wanted, stands.record.phase))
    _show_rotation(phase, overview(connected_run(kubeconfig, context, found), system_clock()), holding, output)


def _wanted(found: Found, settle: int | None, *, advance: bool, abort: bool) -> Wish:
    """Raises Invalid for what the leader would decline."""
    if advance:
        return advanced(found.record.phase)
    if abort:
        check_abortable(found.record.phase)
        return Abort()
    check_startable(found)
    return Start(timedelta(seconds=settle or 0))


def _show_rotation(phase: Phase, stands: Overview, holding: Holders | None, output: str) -> None:
    if output == "json":
        told = {"holders": asdict(holding)} if holding else {}
        click.echo(json.dumps({**asdict(stands), **told}, indent=2, default=str))
    else:
        click.echo(f"The rotation is {name_of(phase)}.")
        show_overview(stands, console())


async def found(client: Any) -> Found:
    from ca.standing import configured, standing  # noqa: PLC0415 - not imported for `inspect FILE`

    return (await standing(client, await configured(client))).found


async def _held(client: Any, stands: Found) -> Holders | None:
    from ca.holding import held  # noqa: PLC0415 - as above
    from ca.standing import configured  # noqa: PLC0415 - as above

    return await held(client, await configured(client), stands)


async def _wish(client: Any, wanted: Wish, before: Phase) -> Phase:
    from ca.wishing import wish  # noqa: PLC0415 - as above

    return await wish(client, wanted, before, PATIENCE)
