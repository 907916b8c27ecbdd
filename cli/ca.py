"""`proa ca`: the certificate authority's state, its rotation, its certificates in words. Shell."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from ca.examination import LARGEST, Bundle, Finding, Roots, bundle, examined
from ca.inquiry import Given, NotGiven, outcome
from ca.overview import Overview, overview
from ca.revocation.choice import is_serial, of_leaf, of_serial
from ca.revocation.crl import Revoked
from ca.revocation.overview import Standing, standing_of
from ca.revocation.register import Register
from ca.svid_bundle import spiffe_bundle
from cli.authority import show_findings, show_overview, show_revocation
from cli.cluster import cluster_options, connected_run, output_option
from cli.printing import console
from cli.rotation import PATIENCE, found, rotate
from cli.upstream import csr, install_chain
from proa import names
from proa.clock import system_clock
from proa.errors import Invalid, shown
from proa.rootsmap import revokes

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
    found, revocation = connected_run(kubeconfig, context, _stands)
    ok = found.sound and not (revocation and revocation.problems)
    if output == "json":
        told = {"revocation": asdict(revocation)} if revocation else {}
        click.echo(json.dumps({"ok": ok, **asdict(found), **told}, indent=2, default=str))
    else:
        show_overview(found, console())
        if revocation:
            show_revocation(revocation, console())
    ctx.exit(0 if ok else 1)


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
    if _is_file(subject):
        found, roots = bundle(_content(subject)), _given_roots(given["roots"])
    else:
        place = _place(subject, given["namespace"])
        found, roots = connected_run(kubeconfig, context, lambda client: _of_pod(client, *place, "inspect"))
    findings = examined(found, roots, system_clock())
    _print(findings, roots, output)
    ctx.exit(1 if any(each.problems for each in findings) else 0)


@ca.command()
@click.argument("subject", metavar="SERIAL|FILE|POD")
@click.option("-n", "--namespace", default="default", show_default=True, help="The pod's namespace.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cluster_options
def revoke(kubeconfig: Path | None, context: str | None, subject: str, **given: Any) -> None:
    """Put a leaf on the CRL, so that sidecars refuse it from then on.

    SERIAL is as the authority's log and `inspect` show it; FILE is PEM or DER, - is standard input; of a POD (or
    NAMESPACE/POD) it is the certificate that was issued last. Connections that stand go on, and the pod's next
    certificate counts again: delete the pod. Exits with 0 once a CRL lists it, 2 where it cannot be done.
    """
    content = _content(subject) if _is_file(subject) else None
    place = _place(subject, given["namespace"])

    async def chosen(client: Any) -> Revoked:
        stands, register = await found(client), await _register(client)
        if content is None and is_serial(subject):
            return of_serial(subject, stands.record.longest, system_clock())
        taken = bundle(content) if content is not None else (await _of_pod(client, *place, "revoke"))[0]
        return of_leaf(taken.certificates, register, system_clock())

    revoked = connected_run(kubeconfig, context, chosen)
    if not given["yes"]:
        click.confirm(f"Revoke the certificate {revoked.serial:x}, for good?", abort=True)
    connected_run(kubeconfig, context, lambda client: _revoke(client, revoked))
    click.echo(f"{revoked.serial:x} is on the CRL. Pods have that when their kubelet brings it, within two minutes.")


@ca.command("export-bundle")
@cluster_options
@click.option("-o", "--output", type=click.Choice(["pem", "spiffe"]), default="pem", show_default=True)
def export_bundle(kubeconfig: Path | None, context: str | None, output: str) -> None:
    """Print the roots that pods are given: as PEM, or as a SPIFFE bundle (a JWK set) for another trust domain."""
    from ca.certificates import pem  # noqa: PLC0415

    roots = connected_run(kubeconfig, context, found).published
    if not roots:
        raise Invalid("the ClusterTrustBundle", "no root", "roots that the authority has published: `proa ca status`")
    click.echo(pem(*roots) if output == "pem" else json.dumps(spiffe_bundle(roots), indent=2), nl=output != "pem")


def _is_file(subject: str) -> bool:
    return subject == "-" or Path(subject).is_file() or subject.startswith((".", "/"))


def _place(pod: str, namespace: str) -> tuple[str, str]:
    """A pod's namespace and name."""
    before, slash, name = pod.removeprefix("pod/").rpartition("/")
    return before if slash else namespace, name


def _content(file: str) -> bytes:
    """Of *file*, and no more than can be a certificate."""
    if file == "-":
        return sys.stdin.buffer.read(LARGEST + 1)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as error:
        raise Invalid("FILE", shown(error.strerror or file), f"{file} to be readable") from error


async def _stands(client: Any) -> tuple[Overview, Standing | None]:
    from ca.standing import configured  # noqa: PLC0415 - as above

    stands, now = await found(client), system_clock()
    wanted = revokes(await configured(client))
    told = standing_of(await _register(client), stands.material.issuer, now) if wanted else None
    return overview(stands, now), told


async def _register(client: Any) -> Register:
    from ca.revocation.storage import stored_register  # noqa: PLC0415 - as above

    return (await stored_register(client)).register


async def _revoke(client: Any, revoked: Revoked) -> None:
    from ca.revocation.revoking import revoke as put_on_the_list  # noqa: PLC0415 - as above

    await put_on_the_list(client, revoked, PATIENCE)


async def _of_pod(client: Any, namespace: str, pod: str, command: str) -> tuple[Bundle, Roots]:
    from ca.in_force import published_now  # noqa: PLC0415 - as above
    from kube.resources import POD_CERTIFICATE_REQUESTS, PODS  # noqa: PLC0415 - as above

    await client.get(PODS, pod, namespace)
    match outcome(await client.list(POD_CERTIFICATE_REQUESTS, namespace), pod, names.SIGNER):
        case Given(chain):
            return bundle(chain.encode()), Roots(await published_now(client), "that the cluster publishes")
        case NotGiven(why):
            read = f"kubectl exec -n {namespace} {pod} -c {names.PROXY_CONTAINER} -- cat {_IN_A_POD}"
            allowed = f"one that was issued; ask the pod itself: {read} | proa ca {command} -"
            raise Invalid(f"pod {namespace}/{pod}", why, allowed)


def _given_roots(file: Any) -> Roots | None:
    return None if file is None else Roots(bundle(file.read(LARGEST + 1)).certificates, f"of {file.name}")


def _print(findings: tuple[Finding, ...], roots: Roots | None, output: str) -> None:
    if output == "json":
        told = {"ok": not any(each.problems for each in findings), "checkedAgainstRoots": roots is not None}
        click.echo(json.dumps({**told, "certificates": [asdict(each) for each in findings]}, indent=2))
    else:
        show_findings(findings, roots, console())


ca.add_command(rotate)
ca.add_command(csr)
ca.add_command(install_chain)
