"""The proof for people: tables, and a verdict a line. Shell: prints."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.proof import Claim, Proof, Side


def show(proof: Proof, judged: tuple[Claim, ...], console: Console) -> None:
    """Print *proof*: the way of the requests, the counters, the wire, the rotation, and what it comes to."""
    console.print()
    console.print(_journeys(proof))
    console.print(_counters(proof))
    console.print(_wire(proof))
    _rotation(proof, console)
    console.print()
    for claim in judged:
        console.print("[green]yes[/]" if claim.holds else "[bold red]NO [/]", claim.sentence)


def _journeys(proof: Proof) -> Table:
    table = Table(title="Requests from the client's application to the server", title_justify="left")
    for heading in ("", "original destination", "TLS", "identity of the peer"):
        table.add_column(heading, overflow="fold")
    for journey in proof.journeys:
        table.add_row("application dialled", escape(journey.dialled), "none", "", style="bold")
        table.add_row("client's Envoy", *_side(journey.client))
        table.add_row("server's Envoy", *_side(journey.server), end_section=True)
    return table


def _side(side: Side) -> tuple[str, str, str]:
    return escape(side.original_destination), side.tls, escape(side.peer)


def _counters(proof: Proof) -> Table:
    table = Table(title="Counters", title_justify="left")
    table.add_column("pod")
    table.add_column("what")
    table.add_column("before", justify="right")
    table.add_column("after", justify="right")
    for counter in proof.counters:
        table.add_row(counter.pod, counter.name, str(counter.before), str(counter.after))
    return table


def _wire(proof: Proof) -> Table:
    table = Table(title="Capture on the bridge", title_justify="left")
    table.add_column("the same requests")
    for heading in ("frames", "bytes", "frames with the body in cleartext"):
        table.add_column(heading, justify="right")
    for label, captured in (("without Proa", proof.without_injection), ("with Proa", proof.with_injection)):
        table.add_row(label, str(captured.frames), str(captured.bytes), str(captured.cleartext))
    return table


def _rotation(proof: Proof, console: Console) -> None:
    rotation = proof.rotation
    console.print("Rotation of the server's certificate")
    console.print(f"  {rotation.requests} requests meanwhile, {len(rotation.failures)} failed")
    for label, serial in (("before", rotation.serial_before), ("after", rotation.serial_after)):
        met = "met by the client" if serial in rotation.serials_seen else "not met by the client"
        console.print(f"  serial {label:6} {serial} ({met})")
