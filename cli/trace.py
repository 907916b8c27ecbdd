"""`proa trace`. Shell."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from shlex import join
from typing import Any, Final

import click
from rich.console import Console
from rich.markup import escape

from cli.cluster import cluster_options, connected_run, output_option, place
from cli.manifests import DEFAULTS, configuration, pod_or_file, refuse_both
from cli.printing import console, table
from init.matches import Protocol
from installation.connections import Connection, Inbound, Outbound
from installation.passage import Passage, passage, passages
from kube.resources import PODS

_ENDS: Final = "give either --to ADDRESS:PORT, or --from ADDRESS and --port PORT"


@click.command()
@pod_or_file
@click.option("--to", help="What the pod dials: 10.0.0.5:443, or [fd00::5]:443.")
@click.option("--from", "source", help="Who dials the pod: an address. Goes with --port.")
@click.option("--port", type=int, help="With --from: the pod's port.")
@click.option("--udp", is_flag=True, help="A datagram instead of a TCP connection.")
@click.option("-c", "--container", default="", help="With --to: who dials; the pod's first container unless given.")
@click.option("--uid", type=int, help="With --to: the user who dials, where the pod does not say it.")
@click.option("--gid", type=int, help="With --to: the group.")
@click.option("--interface", default="eth0", show_default=True, help="By which the pod is reached, and reaches others.")
@cluster_options
@output_option
def trace(kubeconfig: Path | None, context: str | None, output: str, **options: Any) -> None:
    """Say which rules a connection of POD (or NAMESPACE/POD) meets, why each is there, and where it goes.

    The rules are computed from what the pod says of its interception, as those in its kernel were; of a pod of a file,
    from what it says once it is injected. No packet is sent; the command that is printed last has the kernel
    tell of one, for whoever is in the pod's network. Exits with 2 where it cannot be said.
    """
    refuse_both(options)
    asked = _asked(options)
    if options["stream"] is None:
        namespace, name = place(options["pod"], options["namespace"])
        pod = connected_run(kubeconfig, context, lambda client: client.get(PODS, name, namespace))
        found: tuple[Passage, ...] = (passage(pod, asked, f"Pod {namespace}/{name}"),)
    else:
        found = passages(options["stream"].read(), configuration(options["config"]), asked)
        if options["config"] is None:
            found = tuple(replace(each, notes=(*each.notes, DEFAULTS)) for each in found)
    if output == "json":
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        _show(found, console())


def _asked(options: dict[str, Any]) -> Connection:
    """Raises Refused, and UsageError where it is neither dialled by the pod nor by others."""
    protocol: Protocol = "udp" if options["udp"] else "tcp"
    who = (options["container"], options["uid"], options["gid"])
    match options["to"], options["source"], options["port"]:
        case str(to), None, None:
            return Outbound(to, protocol, options["interface"], *who)
        case None, str(source), int(port) if who == ("", None, None):
            return Inbound(source, port, protocol, options["interface"])
        case _:
            raise click.UsageError(_ENDS)


def _show(found: tuple[Passage, ...], out: Console) -> None:
    if not found:
        out.print("There is no pod in the file.")
    for each in found:
        out.print(f"[bold]{escape(each.title)}[/]: {escape(each.conclusion)}", soft_wrap=True)
        out.print(f"[dim]connection:[/] {escape(each.connection)}", soft_wrap=True)
        for note in each.notes:
            out.print(f"[dim]note:[/] {escape(note)}", soft_wrap=True)
        for name, value in each.settings.items():
            out.print(f"[dim]setting:[/] {escape(name)} {escape(value or 'nothing')}", soft_wrap=True)
        if each.met:
            rules = table("Rules that it meets, in their order; the last one decides", "chain", "why", "rule")
            for met in each.met:
                rules.add_row(escape(met.chain), escape(met.why), escape(met.rule))
            out.print(rules)
            out.print(f"[dim]the kernel's word, in the pod's network:[/] {escape(join(each.command))}", soft_wrap=True)
