"""`proa ca csr` and `proa ca install-chain`: an issuer below a root that is not in the cluster. Shell."""

from pathlib import Path
from typing import Any

import click

from ca.examination import LARGEST, bundle
from cli.cluster import cluster_options, connected_run
from proa.clock import system_clock


@click.command()
@cluster_options
def csr(kubeconfig: Path | None, context: str | None) -> None:
    """Print a request for the next issuer's certificate, for the owner of your root to sign.

    Its key is made now and waits in the Secret proa-ca-request; nobody issues with it before `install-chain`. The
    certificate has to be a CA's: CA:TRUE, keyCertSign, a subject key identifier, for 90 days or so.
    """
    click.echo(connected_run(kubeconfig, context, _request), nl=False)


@click.command("install-chain")
@click.argument("file", type=click.File("rb"))
@cluster_options
def install_chain(kubeconfig: Path | None, context: str | None, file: Any) -> None:
    """Issue by what came of `csr`: FILE is PEM, the issuer's certificate first, then those above; - is standard input.

    Its root has to be one that pods trust. Where the authority has issued nothing yet, FILE has to end with the root.
    """
    certificates = bundle(file.read(LARGEST + 1)).certificates

    async def work(client: Any) -> str:
        from ca.requesting import configuration, install  # noqa: PLC0415 - `proa version` should not wait for it

        return str(await install(client, certificates, await configuration(client), system_clock))

    click.echo(f"The issuer is {connected_run(kubeconfig, context, work)}.")


async def _request(client: Any) -> str:
    from ca.requesting import request  # noqa: PLC0415 - as above

    return await request(client)
