"""The webhook's process against a real API server, with the rights that an installation gives it and no others."""

import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from installation.objects import objects
from installation.options import Options, Profile, Scope
from proa import names
from support.kubectl import GONE, Kubectl, eventually
from support.ports import free_ports
from support.roots import Root, Volume
from webhook.trust import FIELD_MANAGER, ca_bundle

pytestmark = pytest.mark.beside_others

ROOT: Final = Path(__file__).parents[2]
CONFIGURATION: Final = "mutatingwebhookconfiguration"


@dataclass(frozen=True)
class Installed:
    """A revision as it is installed, but for its pods: the test runs those."""

    kubectl: Kubectl
    revision: str
    kubeconfig: Path
    volume: Volume

    @property
    def name(self) -> str:
        return f"proa-webhook-{self.revision}"

    @property
    def host(self) -> str:
        return f"{self.name}.{names.SYSTEM_NAMESPACE}.svc"

    def registration(self) -> Any:
        return json.loads(self.kubectl("get", CONFIGURATION, self.name, "--output=json", "--show-managed-fields"))

    @property
    def entries(self) -> int:
        return len(self.registration()["webhooks"])

    def bundles(self) -> set[str | None]:
        return {entry["clientConfig"].get("caBundle") for entry in self.registration()["webhooks"]}

    def configure(self, document: str) -> None:
        data = {"data": {names.CONFIGURATION_KEY: document}}
        self.kubectl("patch", "configmap", f"proa-{self.revision}", "--type=merge", f"--patch={json.dumps(data)}")

    @contextmanager
    def running(self, replica: str = "one", **environment: str) -> Iterator["Process"]:
        ports = [str(port) for port in free_ports(2)]
        told = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self.kubeconfig),
            "POD_NAME": f"{self.name}-{replica}",
            "PROA_REVISION": self.revision,
            "PROA_SERVING_DIRECTORY": str(self.volume.path),
            "WEBHOOK_PORT": ports[0],
            "HEALTH_PORT": ports[1],
        }
        command = (sys.executable, "-m", "webhook")
        with subprocess.Popen(command, cwd=ROOT, env=told | environment, stderr=subprocess.PIPE, text=True) as process:
            running = Process(process, int(ports[0]), int(ports[1]))
            try:
                yield running
            finally:
                process.kill()
                running.said.extend(process.communicate()[1].splitlines())
                # Shown with a test that fails.
                sys.stdout.write("\n".join(running.said))


@dataclass
class Process:
    process: subprocess.Popen[str]
    port: int
    health_port: int

    def __post_init__(self) -> None:
        self.said: list[str] = []

    def asked(self, path: str) -> str:
        try:
            with urlopen(f"http://127.0.0.1:{self.health_port}{path}", timeout=30) as answer:
                return str(answer.read().decode())
        except HTTPError as refused:
            with refused:
                return str(refused.read().decode())
        except OSError:
            return "not listening"

    def serves(self, bundle: str) -> bool:
        """Whether new connections meet the certificate of *bundle*."""
        return ssl.get_server_certificate(("127.0.0.1", self.port)).strip() in bundle

    def unready(self) -> str:
        """Why; `ok` where it is ready."""
        return self.asked("/readyz").strip()

    def becomes_ready(self) -> None:
        eventually(lambda: self.unready() == "ok", f"ready; {self.unready()!r}")

    def becomes(self, reason: str) -> None:
        eventually(lambda: reason in self.unready(), f"{reason!r}; {self.unready()!r}")

    def measured(self, metric: str) -> float:
        lines = self.asked("/metrics").splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{metric} "))

    def ends(self, seconds: float) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@pytest.fixture
def installed(kubectl: Kubectl, tmp_path: Path) -> Iterator[Installed]:
    revision = f"test-{secrets.token_hex(4)}"
    made: list[Any] = list(objects(Options(revision=revision, profile=Profile.MINIMAL, scope=Scope.REVISION)))
    made = [each for each in made if each["kind"] not in {"Deployment", "NetworkPolicy"}]
    with ExitStack() as cleanup:
        ensured_namespace(kubectl, cleanup)
        kubectl.apply(*made)
        cleanup.callback(
            kubectl, "delete", "--filename=-", *GONE, given={"kind": "List", "apiVersion": "v1", "items": made}
        )
        found = Installed(kubectl.within(names.SYSTEM_NAMESPACE), revision, tmp_path / "kubeconfig", Volume(tmp_path))
        cleanup.callback(found.kubectl, "delete", "lease", found.name, *GONE)
        found.kubeconfig.write_text(json.dumps(of_account(found.kubectl, found.name)))
        yield found


def ensured_namespace(kubectl: Kubectl, cleanup: ExitStack) -> None:
    if kubectl("get", "namespace", names.SYSTEM_NAMESPACE, "--ignore-not-found"):
        return
    kubectl("create", "namespace", names.SYSTEM_NAMESPACE)
    cleanup.callback(kubectl, "delete", "namespace", names.SYSTEM_NAMESPACE, *GONE)


def of_account(kubectl: Kubectl, account: str) -> Any:
    """A kubeconfig with the rights of a ServiceAccount."""
    ours = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json"))
    token = kubectl("create", "token", account).strip()
    return {**ours, "users": [{"name": user["name"], "user": {"token": token}} for user in ours["users"]]}


def certified(installed: Installed, root: Root, *trusted: Root) -> None:
    roots = b"".join(each.pem for each in (trusted or (root,)))
    installed.volume.write(credential_bundle__pem=root.bundle(installed.host), trust_bundle__pem=roots)


def test_it_becomes_ready_with_no_more_than_its_own_rights_and_leaves_every_other_field_alone(
    installed: Installed,
) -> None:
    before = installed.registration()
    certified(installed, Root())
    with installed.running() as process:
        process.becomes_ready()
        after = installed.registration()
        assert process.measured("proa_webhook_self_test") == 1
        assert process.measured("proa_configuration_valid") == 1
        assert process.measured("proa_webhook_serving_certificate_expiry_timestamp_seconds") > 1e9
    for entry in after["webhooks"]:
        entry["clientConfig"].pop("caBundle")
    assert after["webhooks"] == before["webhooks"]
    (ours,) = [each for each in after["metadata"]["managedFields"] if each["manager"] == FIELD_MANAGER]
    assert ours["operation"] == "Apply"
    entries = ours["fieldsV1"]["f:webhooks"].values()
    assert {json.dumps(entry, sort_keys=True) for entry in entries} == {
        json.dumps({".": {}, "f:name": {}, "f:clientConfig": {"f:caBundle": {}}}, sort_keys=True)
    }


def test_it_says_everything_that_it_waits_for(installed: Installed) -> None:
    installed.configure("peerTls: maybe\n")
    with installed.running() as process:
        process.becomes("the configuration is not loaded: ")
        assert "peerTls: found 'maybe'" in process.unready()
        assert f"the serving certificate is missing: {installed.volume.path}: found neither" in process.unready()
        certified(installed, Root())
        installed.configure("peerTls: strict\n")
        process.becomes_ready()


def test_a_configuration_that_cannot_be_read_leaves_the_last_good_one_and_says_so(installed: Installed) -> None:
    certified(installed, Root())
    with installed.running() as process:
        process.becomes_ready()
        installed.configure("nonsense: true\n")
        eventually(lambda: process.measured("proa_configuration_valid") == 0, "the metric")
        assert process.unready() == "ok"
        event = ("events", f"--field-selector=involvedObject.name=proa-{installed.revision}", "--output=json")
        eventually(lambda: "nonsense" in installed.kubectl("get", *event), "the Event")
        installed.configure("{}\n")
        eventually(lambda: process.measured("proa_configuration_valid") == 1, "the metric")


def test_roots_are_rotated_with_an_overlap_and_without_being_unready(installed: Installed) -> None:
    old, new = Root("old"), Root("new")
    certified(installed, old)
    with installed.running() as process:
        process.becomes_ready()
        for issuer, trusted in ((old, (old, new)), (new, (old, new)), (new, (new,))):
            certified(installed, issuer, *trusted)
            wanted = base64(ca_bundle(b"".join(root.pem for root in trusted)))
            eventually(lambda wanted=wanted: installed.bundles() == {wanted}, "the caBundle")
            served = (installed.volume.path / names.CREDENTIAL_BUNDLE).read_text()
            eventually(lambda served=served: process.serves(served), "the new certificate")
            assert process.unready() == "ok"
    events = [json.loads(line)["event"] for line in process.said]
    assert "self-test failed" not in events[events.index("self-test passed") :]


def test_a_bundle_that_somebody_takes_away_is_put_back(installed: Installed) -> None:
    certified(installed, Root())
    with installed.running() as process:
        process.becomes_ready()
        (bundle,) = installed.bundles()
        taken = [{"op": "remove", "path": f"/webhooks/{n}/clientConfig/caBundle"} for n in range(installed.entries)]
        installed.kubectl("patch", CONFIGURATION, installed.name, "--type=json", f"--patch={json.dumps(taken)}")
        eventually(lambda: installed.bundles() == {bundle}, "the caBundle")


def test_a_registration_that_does_not_trust_its_certificate_makes_it_unready_with_the_reason(
    installed: Installed,
) -> None:
    certified(installed, Root("ours"), Root("another"))
    with installed.running() as process:
        process.becomes("its caBundle does not verify the serving certificate")
        assert installed.host in process.unready()
        assert process.measured("proa_webhook_self_test") == 0
        certified(installed, Root("mended"))
        process.becomes_ready()


def test_a_registration_that_is_gone_makes_it_unready(installed: Installed) -> None:
    certified(installed, Root())
    with installed.running() as process:
        process.becomes_ready()
        installed.kubectl("delete", CONFIGURATION, installed.name)
        process.becomes("it does not exist")


def test_under_cert_manager_it_writes_nothing(installed: Installed) -> None:
    root = Root()
    certified(installed, root)
    with installed.running(PROA_TRUST="cert-manager") as process:
        process.becomes("entries have no caBundle")
        assert installed.bundles() == {None}
        injected = [
            {"op": "add", "path": f"/webhooks/{n}/clientConfig/caBundle", "value": base64(root.pem)}
            for n in range(installed.entries)
        ]
        installed.kubectl("patch", CONFIGURATION, installed.name, "--type=json", f"--patch={json.dumps(injected)}")
        process.becomes_ready()
        managers = {each["manager"] for each in installed.registration()["metadata"]["managedFields"]}
        assert FIELD_MANAGER not in managers


def test_one_replica_leads_and_another_takes_over(installed: Installed) -> None:
    certified(installed, Root())
    with installed.running("one") as one, installed.running("two") as two:
        one.becomes_ready()
        two.becomes_ready()
        leader = installed.kubectl("get", "lease", installed.name, "--output=jsonpath={.spec.holderIdentity}")
        first, second = (one, two) if leader.endswith("one") else (two, one)
        assert first.ends(30) == 0
        certified(installed, Root("later"))
        second.becomes_ready()
        eventually(lambda: second.measured("proa_webhook_self_test") == 1, "the self-test")


def test_a_signal_makes_it_unready_first_and_ends_it_within_its_grace_period(installed: Installed) -> None:
    certified(installed, Root())
    with installed.running() as process:
        process.becomes_ready()
        process.process.send_signal(signal.SIGTERM)
        process.becomes("stopping")
        assert process.process.wait(20) == 0


def test_an_environment_that_cannot_be_used_is_named(installed: Installed) -> None:
    with installed.running(PROA_TRUST="nobody", PROA_REVISION="default") as process:
        assert process.process.wait(30) == 2
    (line,) = [json.loads(line) for line in process.said]
    assert "PROA_TRUST: found 'nobody'" in line["error"]
    assert "PROA_REVISION: found 'default'" in line["error"]


def base64(pem: bytes) -> str:

    return b64encode(pem).decode()
