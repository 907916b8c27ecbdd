"""What every command that talks to a cluster has in common: its options, its connection. Shell."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

T = TypeVar("T")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def cluster_options(command: _Command) -> _Command:
    """--kubeconfig and --context, as kubectl has them."""
    path = click.Path(dir_okay=False, path_type=Path)
    command = click.option("--context", help="A context of the kubeconfig; its current one unless given.")(command)
    text = "The kubeconfig; unless given KUBECONFIG, the pod's ServiceAccount or ~/.kube/config."
    return click.option("--kubeconfig", type=path, help=text)(command)


def output_option(command: _Command) -> _Command:
    return click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)(
        command
    )


def place(pod: str, namespace: str) -> tuple[str, str]:
    """The namespace and name of *pod*, which may be `NAMESPACE/POD` and as kubectl prints it, `pod/POD`."""
    before, slash, name = pod.removeprefix("pod/").rpartition("/")
    return (before, name) if slash else (namespace, name)


def connected_run(kubeconfig: Path | None, context: str | None, work: Callable[[Any], Awaitable[T]]) -> T:
    """What *work* makes of a client of the cluster (kube.client.Client). Raises whatever it or the client raises."""
    import asyncio  # noqa: PLC0415 - `proa version` should not wait for any of it

    from kube.client import connected  # noqa: PLC0415 - as above
    from kube.patience import Patient  # noqa: PLC0415 - as above

    async def connected_work() -> T:
        async with connected(kubeconfig, context, Patient) as client:
            return await work(client)

    return asyncio.run(connected_work())
