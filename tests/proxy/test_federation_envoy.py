"""Two real Envoys with the webhook's files, in a mesh that believes other trust domains, or is being renamed."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ca.authority import CertificateAuthority, self_signed_authority
from ca.bundle import credential_bundle
from ca.certificates import Chain, printed
from ca.profile import key_usage
from ca.randomness import new_key, new_serial
from ca.svid_bundle import spiffe_bundle, trust_bundles
from discovery.files import subscription_files
from discovery.model import Transport, Workload
from discovery.resources import resources
from proa import names
from proa.clock import system_clock
from proa.containers import AccessLog
from proa.identity import TrustDomain, parsed_identity
from proa.mesh import MeshConfiguration, mesh_configuration
from support.sidecars import Authority

pytestmark = pytest.mark.netns

HERE, THERE, PORT = "10.88.0.2", "10.88.0.1", 8080
HELLO = b"hello, whoever you are"
OURS, THEIRS = "cluster.local", "other.example"


def authority(domain: str) -> Authority:
    return Authority(self_signed_authority(TrustDomain(domain), system_clock))


def roots(of: Authority) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates(of.ca.trust_bundle.encode()))


def mesh(domain: str = OURS, *aliases: str, foreign: dict[str, str] | None = None) -> MeshConfiguration:
    bundles = {"kind": "none"} if foreign is None else {"kind": "bundles", "trustDomains": foreign}
    return mesh_configuration(
        json.dumps(
            {
                "trustDomain": domain,
                "trustDomainAliases": aliases,
                "peerTls": "strict",
                "discovery": {"kind": "files"},
                "authority": {"roots": {"kind": "config-maps"}},
                "federation": bundles,
            }
        )
    )


@dataclass(frozen=True)
class Pod:
    """What its sidecar is given: the webhook's files, those of its volume, and whom it takes the other pod for."""

    configuration: MeshConfiguration
    files: dict[str, bytes]
    expects: str


def pod(configuration: MeshConfiguration, own: Authority, issuer: Authority, uri: str, expects: str) -> Pod:
    """Of a mesh whose authority is *own*; its certificate names *uri* and is *issuer*'s."""
    bundles = trust_bundles(configuration, roots(own)).encode()
    files = {**issuer.files(uri), names.TRUST_BUNDLE: own.ca.trust_bundle.encode(), names.BUNDLES_FILE: bundles}
    return Pod(configuration, files, expects)


@dataclass
class Pair:
    """Two sidecars with an application behind each."""

    here: Any
    there: Any
    waiting: Callable[..., Any]

    def passes(self) -> bool:
        """Whether a new connection from here reaches the application there."""
        return bool(self.here.room.echoed(THERE, PORT, HELLO))

    def returns(self) -> bool:
        """The other way round."""
        return bool(self.there.room.echoed(HERE, PORT, HELLO))


def web(domain: str) -> str:
    return f"spiffe://{domain}/ns/shop/sa/web"


def api(domain: str) -> str:
    return f"spiffe://{domain}/ns/shop/sa/api"


@pytest.fixture
def meeting(new_rooms: Any, sidecar_in: Any, echo: Any, waiting: Callable[..., Any]) -> Any:
    @contextmanager
    def made(here: Pod, there: Pod) -> Iterator[Pair]:
        with ExitStack() as stack:
            sidecars = []
            for room, own, host in zip(stack.enter_context(new_rooms()), (here, there), (THERE, HERE), strict=True):
                stack.enter_context(echo(room, PORT))
                sidecar = stack.enter_context(sidecar_in(room, own.configuration, own.files))
                other = Workload(parsed_identity(own.expects), (ip_address(host),), (PORT,), Transport.MTLS)
                sidecar.discover(subscription_files(resources([other], AccessLog.JSON, own.configuration.own_domains)))
                sidecars.append(sidecar)
            pair = Pair(*sidecars, waiting)
            waiting(lambda: {each.stat("listener_manager.total_listeners_active") for each in sidecars} == {5})
            yield pair

    return made


def test_a_foreign_root_vouches_for_its_own_trust_domain_and_not_for_ours(meeting: Any) -> None:
    ours, theirs = authority(OURS), authority(THEIRS)
    here = mesh(THEIRS, foreign={OURS: json.dumps(spiffe_bundle(roots(ours)))})
    there = mesh(OURS, foreign={THEIRS: theirs.ca.trust_bundle})
    good = pod(here, theirs, theirs, web(THEIRS), api(OURS))
    with meeting(good, pod(there, ours, ours, api(OURS), web(THEIRS))) as pair:
        assert (pair.passes(), pair.returns()) == (True, True)
        for domain, issuer in ((OURS, theirs), (THEIRS, ours)):
            pair.here.take(pod(here, theirs, issuer, web(domain), api(OURS)).files)
            assert (pair.passes(), pair.returns()) == (False, False), domain
        pair.here.take(good.files)
        assert (pair.passes(), pair.returns()) == (True, True)
        # A server that has our name by their root.
        pair.there.take(pod(there, ours, theirs, api(OURS), web(THEIRS)).files)
        assert (pair.passes(), pair.returns()) == (False, False)


@pytest.mark.parametrize("first", [THEIRS, OURS])
def test_a_foreign_root_vouches_for_no_leaf_that_has_a_name_of_ours_beside_its_own(meeting: Any, first: str) -> None:
    """Envoy picks the roots by the first name, and takes a server for any of its names."""
    ours, theirs = authority(OURS), authority(THEIRS)
    federated = mesh(OURS, foreign={THEIRS: theirs.ca.trust_bundle})
    client = pod(federated, ours, ours, web(OURS), api(OURS))
    named = [api(THEIRS), api(OURS)] if first == THEIRS else [api(OURS), api(THEIRS)]
    server = pod(federated, ours, ours, api(OURS), web(OURS))
    with meeting(client, server) as pair:
        assert (pair.passes(), pair.returns()) == (True, True)
        pair.there.take({**server.files, names.CREDENTIAL_BUNDLE: credential(theirs, *named)})
        assert (pair.passes(), pair.returns()) == (False, False)
        pair.there.take({**server.files, names.CREDENTIAL_BUNDLE: credential(theirs, api(THEIRS))})
        assert (pair.passes(), pair.returns()) == (False, True), "their root is believed about their name alone"


@pytest.mark.parametrize(("believed", "passes"), [((THEIRS, "new.example"), True), (("new.example",), False)])
def test_a_foreign_mesh_that_was_renamed_is_believed_by_both_names_while_its_issuer_has_the_former(
    meeting: Any, believed: tuple[str, ...], passes: bool
) -> None:
    ours, theirs = authority(OURS), authority(THEIRS)
    there = mesh(OURS, foreign=dict.fromkeys(believed, theirs.ca.trust_bundle))
    here = mesh("new.example", foreign={OURS: ours.ca.trust_bundle})
    client = pod(here, theirs, theirs, web("new.example"), api(OURS))
    with meeting(client, pod(there, ours, ours, api(OURS), web("new.example"))) as pair:
        assert (pair.passes(), pair.returns()) == (passes, passes)


def credential(issuer: Authority, *uris: str) -> bytes:
    """A server's key and chain, whose leaf has all of *uris* as names, in this order."""
    key, by, now = new_key(), issuer.ca.issuer, system_clock()
    sans = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(each) for each in uris])
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(by.issuing.certificate.subject)
        .public_key(key.public_key())
        .serial_number(new_serial())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(sans, critical=True)
        .add_extension(key_usage(digital_signature=True), critical=True)
        .sign(by.key, SHA256())
    )
    return credential_bundle(key, Chain(printed(leaf), (printed(by.issuing.certificate),))).encode()


def test_a_foreign_trust_domain_is_believed_while_its_bundle_is_there_and_nobody_is_restarted(meeting: Any) -> None:
    ours, theirs, later = authority(OURS), authority(THEIRS), authority(THEIRS)
    here = mesh(THEIRS, foreign={OURS: ours.ca.trust_bundle})

    def there(**foreign: str) -> Pod:
        return pod(mesh(OURS, foreign=foreign), ours, ours, api(OURS), web(THEIRS))

    def client(issuer: Authority) -> Pod:
        return pod(here, theirs, issuer, web(THEIRS), api(OURS))

    with meeting(client(theirs), there()) as pair:
        running = pair.here.process.pid, pair.there.process.pid
        assert not pair.passes()
        pair.there.take(there(**{THEIRS: theirs.ca.trust_bundle}).files)
        pair.waiting(pair.passes)
        pair.there.take(there(**{THEIRS: later.ca.trust_bundle}).files)
        pair.waiting(lambda: not pair.passes())
        pair.here.take(client(later).files)
        pair.waiting(pair.passes)
        pair.there.take(there().files)
        pair.waiting(lambda: not pair.passes())
        assert (pair.here.process.poll(), pair.there.process.poll()) == (None, None)
        assert running == (pair.here.process.pid, pair.there.process.pid)


def test_our_own_next_root_decides_at_the_next_handshake_of_a_mesh_that_is_federated(meeting: Any) -> None:
    former, following = authority(OURS), authority(OURS)
    both = Authority(CertificateAuthority(following.ca.issuer, (*roots(former), *roots(following)), system_clock))
    federated = mesh(OURS, foreign={})

    def client(issuer: Authority) -> Pod:
        return pod(federated, both, issuer, web(OURS), api(OURS))

    with meeting(client(former), pod(federated, former, former, api(OURS), web(OURS))) as pair:
        assert pair.passes()
        pair.here.take(client(following).files)
        pair.waiting(lambda: not pair.passes())
        pair.there.take(pod(federated, both, former, api(OURS), web(OURS)).files)
        pair.waiting(pair.passes)


OLD, NEW = OURS, "new.example"
STEPS = {
    "the alias is announced": (mesh(OLD), OLD, mesh(OLD, NEW), OLD),
    "the domain is renamed": (mesh(OLD, NEW), OLD, mesh(NEW, OLD), NEW),
    "a certificate is renewed before its pod is told, and the other way round": (
        *(mesh(OLD, NEW), NEW),
        *(mesh(NEW, OLD), OLD),
    ),
    "the alias is removed": (mesh(NEW, OLD), NEW, mesh(NEW), NEW),
    "the domain of a federated mesh is renamed": (mesh(OLD, NEW, foreign={}), OLD, mesh(NEW, OLD, foreign={}), NEW),
}


@pytest.mark.parametrize("step", STEPS)
def test_while_a_trust_domain_is_renamed_pods_before_and_after_each_step_reach_each_other(
    meeting: Any, step: str
) -> None:
    with _met(meeting, *STEPS[step]) as pair:
        assert (pair.passes(), pair.returns()) == (True, True)


def test_without_the_steps_between_a_renamed_trust_domain_is_another_one(meeting: Any) -> None:
    with _met(meeting, mesh(OLD), OLD, mesh(NEW), NEW) as pair:
        assert (pair.passes(), pair.returns()) == (False, False)


def _met(meeting: Any, here: MeshConfiguration, own: str, there: MeshConfiguration, theirs: str) -> Any:
    """Pods of one authority. Each knows the other by the name that its own configuration has for the trust domain."""
    ca = authority(OLD)
    return meeting(
        pod(here, ca, ca, web(own), api(here.trust_domain)), pod(there, ca, ca, api(theirs), web(there.trust_domain))
    )
