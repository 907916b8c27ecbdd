"""`proa ca`: the certificate authority's state, its rotation, its certificates in words. Shell."""

import json
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from ca.examination import LARGEST, Bundle, Finding, Roots, bundle, examined
from ca.inquiry import Given, NotGiven, outcome
from ca.overview import advanced, check_abortable, check_startable, overview
from ca.phases import LONGEST_SETTLING, Abort, Phase, Start, Wish, name_of
from ca.rotation import SHORTEST_SETTLING
from ca.svid_bundle import spiffe_bundle
from ca.writes import Found
from cli.authority import show_findings, show_overview
from cli.cluster import cluster_options, connected_run, output_option
from cli.printing import console
from proa import names
from proa.clock import system_clock
from proa.errors import Invalid, shown

_SETTLE: Final = click.IntRange(int(SHORTEST_SETTLING.total_seconds()), int(LONGEST_SETTLING.total_seconds()))
_SETTLE_HELP: Final = "How long pods have to learn the next root; as long as a certificate may live, unless given."
_PATIENCE: Final = 30.0
"""Seconds for the leader to take notice."""
_RISK: Final = "A pod that does not have the other root yet, or a leaf that is alive, may fail in handshakes. Go on?"
_IN_A_POD: Final = f"{names.IDENTITY_DIRECTORY}/{names.CREDENTIAL_BUNDLE}"


@click.group()
def ca() -> None:
    """The certificate authority: how it stands, rotating its root, what a certificate proves."""


@ca.command()
@cluster_options
@output_option
@click.pass_context
def status(ctx: click.Context, kubeconfig: Path | None, context: str | None, output: str) -> None:
    """Show the issuer and the roots, when they end, and the phase of a rotation.

    Exits with 0 where all is well, 1 where something has to be mended, 2 where it cannot be said.
    """
    found = overview(connected_run(kubeconfig, context, _found), system_clock())
    if output == "json":
        click.echo(json.dumps({"ok": found.sound, **asdict(found)}, indent=2, default=str))
    else:
        show_overview(found, console())
    ctx.exit(0 if found.sound else 1)


@ca.command()
@click.option("--settle", type=_SETTLE, metavar="SECONDS", help=_SETTLE_HELP)
@click.option("--advance", is_flag=True, help="End the wait that goes on; it keeps handshakes from failing.")
@click.option("--abort", is_flag=True, help="Withdraw the next root; if it issues already, let the former one issue.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cluster_options
def rotate(kubeconfig: Path | None, context: str | None, settle: int | None, **flags: bool) -> None:
    """Replace the root and its key, in phases that break no handshake.

    Says what the leader made of it, and returns: `proa ca status` shows how it goes on. Exits with 0 where the leader
    has taken it up, 2 where it cannot be done.
    """
    advance, abort = flags["advance"], flags["abort"]
    if sum((advance, abort, settle is not None)) > 1:
        raise click.UsageError("--settle, --advance and --abort exclude each other")
    found = connected_run(kubeconfig, context, _found)
    wanted = _wanted(found, settle, advance=advance, abort=abort)
    if advance and not flags["yes"]:
        click.confirm(_RISK, abort=True)
    phase = connected_run(kubeconfig, context, lambda client: _wish(client, wanted, found.record.phase))
    click.echo(f"The rotation is {name_of(phase)}.")
    show_overview(overview(connected_run(kubeconfig, context, _found), system_clock()), console())


@ca.command()
@click.argument("subject", metavar="FILE|POD")
@click.option("-n", "--namespace", default="default", show_default=True, help="The pod's namespace.")
@click.option("--roots", type=click.File("rb"), help="With FILE: the roots that a peer trusts, in PEM.")
@cluster_options
@output_option
@click.pass_context
def inspect(ctx: click.Context, /, kubeconfig: Path | None, context: str | None, output: str, **given: Any) -> None:
    """Say what a certificate proves and what is wrong with it.

    FILE is PEM or DER, - is standard input; a private key in it is compared with the certificate and never shown. Of a
    POD (or NAMESPACE/POD) it is the certificate that was issued last, if that was in the last 15 minutes. Exits with 0
    where nothing is wrong, 1 where something is, 2 where it cannot be said.
    """
    subject = given["subject"]
    if subject == "-" or Path(subject).is_file() or subject.startswith((".", "/")):
        found, roots = bundle(_content(subject)), _given_roots(given["roots"])
    else:
        before, slash, name = subject.removeprefix("pod/").rpartition("/")
        place = (before if slash else given["namespace"], name)
        found, roots = connected_run(kubeconfig, context, lambda client: _of_pod(client, *place))
    findings = examined(found, roots, system_clock())
    _print(findings, roots, output)
    ctx.exit(1 if any(each.problems for each in findings) else 0)


@ca.command("export-bundle")
@cluster_options
@click.option("-o", "--output", type=click.Choice(["pem", "spiffe"]), default="pem", show_default=True)
def export_bundle(kubeconfig: Path | None, context: str | None, output: str) -> None:
    """Print the roots that pods are given: as PEM, or as a SPIFFE bundle (a JWK set) for another trust domain."""
    from ca.certificates import pem  # noqa: PLC0415

    roots = connected_run(kubeconfig, context, _found).published
    if not roots:
        raise Invalid("the ClusterTrustBundle", "no root", "roots that the authority has published: `proa ca status`")
    click.echo(pem(*roots) if output == "pem" else json.dumps(spiffe_bundle(roots), indent=2), nl=output != "pem")


def _content(file: str) -> bytes:
    """Of *file*, and no more than can be a certificate."""
    if file == "-":
        return sys.stdin.buffer.read(LARGEST + 1)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as error:
        raise Invalid("FILE", shown(error.strerror or file), f"{file} to be readable") from error


def _wanted(found: Found, settle: int | None, *, advance: bool, abort: bool) -> Wish:
    """Raises Invalid for what the leader would decline."""
    if advance:
        return advanced(found.record.phase)
    if abort:
        check_abortable(found.record.phase)
        return Abort()
    check_startable(found)
    return Start(timedelta(seconds=settle or 0))


async def _found(client: Any) -> Found:
    from ca.standing import standing  # noqa: PLC0415 - not imported for `inspect FILE`

    return (await standing(client)).found


async def _wish(client: Any, wanted: Wish, before: Phase) -> Phase:
    from ca.wishing import wish  # noqa: PLC0415 - as above

    return await wish(client, wanted, before, _PATIENCE)


async def _of_pod(client: Any, namespace: str, pod: str) -> tuple[Bundle, Roots]:
    from ca.creation import published_now  # noqa: PLC0415 - as above
    from kube.resources import POD_CERTIFICATE_REQUESTS, PODS  # noqa: PLC0415 - as above

    await client.get(PODS, pod, namespace)
    match outcome(await client.list(POD_CERTIFICATE_REQUESTS, namespace), pod, names.SIGNER):
        case Given(chain):
            return bundle(chain.encode()), Roots(await published_now(client), "that the cluster publishes")
        case NotGiven(why):
            ask = f"kubectl exec -n {namespace} {pod} -c {names.PROXY_CONTAINER} -- cat {_IN_A_POD} | proa ca inspect -"
            raise Invalid(f"pod {namespace}/{pod}", why, f"one that was issued; ask the pod itself: {ask}")


def _given_roots(file: Any) -> Roots | None:
    return None if file is None else Roots(bundle(file.read(LARGEST + 1)).certificates, f"of {file.name}")


def _print(findings: tuple[Finding, ...], roots: Roots | None, output: str) -> None:
    if output == "json":
        told = {"ok": not any(each.problems for each in findings), "checkedAgainstRoots": roots is not None}
        click.echo(json.dumps({**told, "certificates": [asdict(each) for each in findings]}, indent=2))
    else:
        show_findings(findings, roots, console())
