"""cert-manager in a cluster: the one that is there, or its own controllers beside a cluster that has none."""

import base64
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from launcher import builds
from support.kubectl import Kubectl, eventually
from support.mesh import Mesh

_CERTIFICATES: Final = "customresourcedefinition/certificates.cert-manager.io"
_SERVED: Final = ("apiservice/v1.cert-manager.io", "apiservice/v1.acme.cert-manager.io")
_MODULE: Final = "github.com/cert-manager/cert-manager"
_MANAGER: Final = "proa-test"
"""The field manager of what is put into a cluster here: a run that was killed may have left it."""
_SECONDS: Final = 90


def missing(kubectl: Kubectl) -> bool:
    """Whether nobody has put cert-manager's custom resources into the cluster, but for these tests."""
    managers = "--output=jsonpath={.metadata.managedFields[*].manager}"
    found = kubectl("get", _CERTIFICATES, "--ignore-not-found", "--show-managed-fields", managers)
    return not found or _MANAGER in found


@contextmanager
def running(kubectl: Kubectl, log: Path) -> Iterator[None]:
    """With cert-manager. Where it is missing, its custom resources come and go, and *log* is its controllers'."""
    if not missing(kubectl):
        yield
        return
    program = builds.built(builds.CERT_MANAGER)
    resources = f"--filename={builds.module(builds.CERT_MANAGER, _MODULE) / 'deploy' / 'crds'}"
    try:
        kubectl("apply", "--server-side", f"--field-manager={_MANAGER}", resources)
        kubectl("wait", "--for=condition=established", "--timeout=60s", resources)
        # The API server registers their groups some time later, and somebody may compare all that it has.
        served = ("get", *_SERVED, "--ignore-not-found", "--output=jsonpath={.items[*].status.conditions[*].status}")
        eventually(lambda: kubectl(*served).split() == ["True"] * len(_SERVED), "cert-manager's kinds")
        with _controllers(program, kubectl.kubeconfig, log):
            yield
    finally:
        kubectl("delete", "--ignore-not-found", resources)


@contextmanager
def _controllers(program: Path, kubeconfig: Path, log: Path) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(
            [program, kubeconfig], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            status = _ended(process)
    assert status == 0, log.read_text()[-6000:]


def _ended(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def secret(mesh: Mesh, name: str) -> dict[str, str]:
    data = mesh.system.json("secret", name)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def trusted(mesh: Mesh, webhook: str) -> str:
    """The caBundle of the registration, the same one in every entry."""
    entries = mesh.kubectl.json("mutatingwebhookconfiguration", webhook)["webhooks"]
    (bundle,) = {each["clientConfig"].get("caBundle", "") for each in entries}
    return base64.b64decode(bundle).decode()
