"""An issuer whose key lies in a token (SoftHSM): its leaves are as all others, and the key is nowhere else."""

import asyncio
import json
import os
import subprocess
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_public_key
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

from ca.authority import CertificateAuthority, new_intermediate, new_root
from ca.certificates import issued_by, pem
from ca.csr import checked_public_key
from ca.custody import Keeper, KeyUnavailable, nobody
from ca.inspection import LeafUnfit
from ca.issuing import aside, issue
from ca.key_uri import KeyElsewhere
from ca.lint import faults
from ca.material import Issuer, Material
from ca.pkcs11 import Pkcs11
from ca.profile import (
    DEFAULT_LEAF,
    INTERMEDIATE_LIFETIME,
    Terms,
    WorkloadLeaf,
    authority_validity,
    intermediate_builder,
)
from ca.randomness import new_serial
from ca.renewal import Rest, renewal
from ca.revocation.crl import Revoked, signed_by, signed_crl
from ca.revocation.register import Held, Register, register_of, register_secret
from ca.revocation.tending import with_crls
from ca.settings import Pkcs11Module
from ca.signature import digest
from ca.storage import LiveMaterial
from ca.stored import material_secret, renewed_secret, stored_material
from ca.verdict import Sign
from kube.client import Client
from kube.resources import SECRETS
from proa.clock import Clock, system_clock
from proa.errors import Invalid, Refused
from proa.identity import TrustDomain, WorkloadIdentity
from support.following import followed
from support.istio import Cluster, open_door, opened
from support.reaching import reached

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "1234-not-shown"
LABELS = {"p256": "secp256r1", "p384": "secp384r1", "rsa": ""}


@pytest.fixture(scope="module")
def public_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A token with a key of each kind, made inside; their public halves. The module reads its place once, for ever."""
    place = tmp_path_factory.mktemp("token")
    (place / "tokens").mkdir()
    (place / "conf").write_text(
        f"directories.tokendir = {place}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(place / "conf")
    command = ["softhsm2-util", "--init-token", "--free", "--label", "proa", "--pin", PIN, "--so-pin", "so-1234"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    with pkcs11.lib(MODULE).get_token(token_label="proa").open(user_pin=PIN, rw=True) as session:  # noqa: S106
        found = {label: made(session, label, curve) for label, curve in LABELS.items()}
    yield found
    if before is None:
        del os.environ["SOFTHSM2_CONF"]


def made(session: Any, label: str, curve: str) -> Any:
    if not curve:
        public, _ = session.generate_keypair(pkcs11.KeyType.RSA, 2048, store=True, label=label)
        return load_der_public_key(encode_rsa_public_key(public))
    parameters = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
    domain = session.create_domain_parameters(pkcs11.KeyType.EC, parameters, local=True)
    public, _ = domain.generate_keypair(store=True, label=label)
    return load_der_public_key(encode_ec_public_key(public))


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Pkcs11]:
    found = Pkcs11(Pkcs11Module(MODULE, pin_file(tmp_path, PIN)))
    yield found
    forgotten(found)


def forgotten(keeper: Pkcs11) -> None:
    """As a token that restarts forgets its sessions. Between two signatures: SoftHSM takes the process along when a
    session is closed that another thread signs in (SoftHSMv2#688)."""
    with keeper._lock:  # noqa: SLF001
        for session, _ in keeper._opened.values():  # noqa: SLF001
            session.close()


def pin_file(place: Path, pin: str) -> str:
    (place / "pin").write_text(f"{pin}\n")
    return str(place / "pin")


def secret(public_key: Any, domain: TrustDomain, clock: Clock, uri: str) -> tuple[Any, Issuer]:
    """What an admin puts into `proa-ca`: the issuer's certificate, the root's, and where the key is."""
    root = new_root(domain, clock())
    terms = Terms(public_key, authority_validity(clock(), INTERMEDIATE_LIFETIME), new_serial())
    key: Any = root.key
    issuer = intermediate_builder(domain, terms, root.issuing).sign(key, digest(key))
    data = {"tls.crt": pem(issuer), "ca.crt": pem(root.issuing.certificate), "key.uri": uri}
    return {"data": {name: b64encode(text.encode()).decode() for name, text in data.items()}}, root


Authority = Callable[..., CertificateAuthority]


@pytest.fixture
def authority(public_keys: dict[str, Any], trust_domain: TrustDomain, clock: Clock) -> Authority:
    """Of the token's key *label*, whose URI names *token* and *object*, which are right where they are not given."""

    def of(keeper: Keeper, **names: str) -> CertificateAuthority:
        label = names.get("label", "p256")
        uri = f"pkcs11:token={names.get('token', 'proa')};object={names.get('object', label)};type=private"
        material = stored_material(secret(public_keys[label], trust_domain, clock, uri)[0])
        return CertificateAuthority(material.issuer, material.roots, clock, keeper=keeper)

    return of


@pytest.fixture
def workload(identity: WorkloadIdentity) -> WorkloadLeaf:
    return WorkloadLeaf(identity)


@pytest.mark.parametrize("label", LABELS)
def test_a_leaf_signed_in_the_token_is_as_all_others(
    authority: Authority, keeper: Pkcs11, csr: bytes, workload: WorkloadLeaf, label: str, tmp_path: Path
) -> None:
    signing = authority(keeper, label=label)
    assert isinstance(signing.issuer.key, KeyElsewhere)
    chain = signing.sign(csr, workload)
    assert issued_by(chain.leaf, signing.issuer.issuing.certificate)
    assert faults(chain.leaf) == ()
    for name, text in (("leaf", chain.texts[0]), ("above", "".join(chain.texts[1:])), ("roots", signing.trust_bundle)):
        (tmp_path / name).write_text(text)
    command = [
        "openssl",
        "verify",
        "-x509_strict",
        "-attime",
        str(int(chain.not_before.timestamp())),
        "-purpose",
        "sslclient",
    ]
    command += ["-CAfile", str(tmp_path / "roots"), "-untrusted", str(tmp_path / "above"), str(tmp_path / "leaf")]
    verified = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert verified.returncode == 0, verified.stderr


@pytest.mark.parametrize("label", LABELS)
def test_a_crl_is_signed_in_the_token_too_and_the_register_keeps_where_the_key_lies(
    authority: Authority, keeper: Pkcs11, clock: Clock, label: str
) -> None:
    issuer, revoked = authority(keeper, label=label).issuer, Revoked(7, clock(), clock() + timedelta(days=1))
    held = with_crls(Register((revoked,), (Held(issuer, clock()),)), timedelta(days=1), clock(), keeper)
    (crl,) = held.crls
    assert signed_by(crl, issuer.issuing)
    assert [each.serial_number for each in crl] == [7]
    assert register_of(register_secret(held)) == held
    with pytest.raises(KeyUnavailable):
        signed_crl(issuer, (revoked,), 0, clock(), timedelta(days=7))


def test_another_key_of_the_token_signs_nothing_that_leaves(
    authority: Authority, keeper: Pkcs11, csr: bytes, workload: WorkloadLeaf
) -> None:
    signing = authority(keeper, label="p384", object="p256")
    with pytest.raises(LeafUnfit, match="signature: found one that does not verify"):
        signing.sign(csr, workload)


def test_a_token_that_has_forgotten_its_session_is_logged_in_to_again(
    authority: Authority, keeper: Pkcs11, csr: bytes, workload: WorkloadLeaf
) -> None:
    signing = authority(keeper)
    assert signing.sign(csr, workload)
    forgotten(keeper)
    assert signing.sign(csr, workload)


@pytest.mark.parametrize(
    "wrong",
    [
        ({"token": "other"}, PIN, "not one token of"),
        ({"object": "other"}, PIN, "cannot be used"),
        ({}, "wrong-pin-9", "cannot be used"),
        ({}, None, "cannot be read"),
    ],
)
def test_a_key_that_cannot_be_reached_is_worth_asking_for_again_and_no_pin_is_told(
    authority: Authority, csr: bytes, workload: WorkloadLeaf, tmp_path: Path, wrong: tuple[Any, str | None, str]
) -> None:
    names, pin, words = wrong
    told = Pkcs11Module(MODULE, pin_file(tmp_path, pin) if pin else str(tmp_path / "none"))
    signing = authority(Pkcs11(told), **names)
    with pytest.raises(KeyUnavailable, match=words) as caught:
        signing.sign(csr, workload)
    assert PIN not in str(caught.value)
    assert "wrong-pin" not in str(caught.value)


def test_a_process_that_was_told_of_no_module_says_so(authority: Authority, csr: bytes, workload: WorkloadLeaf) -> None:
    with pytest.raises(KeyUnavailable, match="PROA_PKCS11_MODULE"):
        authority(nobody).sign(csr, workload)


async def test_a_replica_issues_by_its_token_and_is_not_ready_while_it_cannot(
    client: Client, clock: Clock, trust_domain: TrustDomain, public_keys: dict[str, Any], keeper: Pkcs11, tmp_path: Path
) -> None:
    written, _ = secret(public_keys["p256"], trust_domain, clock, URI)
    metadata = {"name": "proa-ca", "namespace": "proa-system"}
    await client.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **written})
    async with followed(client, clock, keeper) as material:
        await reached(lambda: material.unready == "")
        (tmp_path / "pin").unlink()
        forgotten(keeper)
        await reached(lambda: "cannot be read" in material.unready)
        pin_file(tmp_path, PIN)
        await reached(lambda: material.unready == "")


async def test_a_key_that_moves_into_a_token_under_its_certificate_is_used_there_from_then_on(
    client: Client, clock: Clock, trust_domain: TrustDomain, public_keys: dict[str, Any], keeper: Pkcs11, tmp_path: Path
) -> None:
    assert public_keys
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    moved_in(tmp_path, text)
    written, _ = secret(key.public_key(), trust_domain, clock, "pkcs11:token=proa;object=moved")
    elsewhere = written["data"]
    here = {**elsewhere, "tls.key": b64encode(text.encode()).decode()}
    del here["key.uri"]
    metadata = {"name": "proa-ca", "namespace": "proa-system"}
    await client.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": here})
    async with followed(client, clock, keeper) as material:
        for data, kind in ((elsewhere, KeyElsewhere), (here, ec.EllipticCurvePrivateKey)):
            found: Any = await client.get(SECRETS, "proa-ca", "proa-system")
            await client.replace(SECRETS, {**found, "data": data})
            await reached(lambda kind=kind: isinstance(issuing(material).issuer.key, kind))
            await reached(lambda: material.unready == "")


def moved_in(place: Path, key: str) -> None:
    (place / "key.pem").write_text(key)
    command = ["softhsm2-util", "--import", str(place / "key.pem"), "--token", "proa", "--label", "moved"]
    subprocess.run([*command, "--id", "a1", "--pin", PIN], check=True, capture_output=True, timeout=30)


def issuing(material: LiveMaterial) -> CertificateAuthority:
    assert material.authority is not None
    return material.authority


class SlowToken:
    """A token that signs once it is let, and remembers the order."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper, self.let, self.signed = keeper, threading.Event(), list[bytes]()

    def __call__(self, key: KeyElsewhere, message: bytes) -> bytes:
        self.signed.append(message)
        assert self.let.wait(20)
        return self._keeper(key, message)


async def test_while_a_token_signs_all_else_goes_on_and_the_order_is_kept(
    authority: Authority, keeper: Pkcs11, csr: bytes, trust_domain: TrustDomain
) -> None:
    token, public_key = SlowToken(keeper), checked_public_key(csr)
    signing = authority(token)

    def asked(name: str) -> asyncio.Task[Any]:
        leaf = WorkloadLeaf(WorkloadIdentity(trust_domain, "shop", name))
        return asyncio.create_task(issue(signing, Sign(public_key, leaf, DEFAULT_LEAF)))

    tasks = [asked(f"web-{number}") for number in range(5)]
    await reached(lambda: token.signed)
    assert not any(task.done() for task in tasks)
    token.let.set()
    await asyncio.gather(*tasks)
    order = [next(number for number in range(5) if f"web-{number}".encode() in each) for each in token.signed]
    assert order == list(range(5))


async def test_while_a_token_hangs_the_door_of_istios_protocol_shows_what_it_has_and_takes_calls(
    cluster: Cluster, cluster_client: Client, public_keys: dict[str, Any], keeper: Pkcs11
) -> None:
    """To sign where a handshake asks would keep all handshakes, and in the end all calls."""
    token, later = SlowToken(keeper), timedelta()
    written, _ = secret(public_keys["p256"], TrustDomain("cluster.local"), system_clock, URI)
    await cluster.put("/api/v1/namespaces/proa-system/secrets/proa-ca", **written)
    token.let.set()
    async with open_door(cluster_client, clock=lambda: system_clock() + later, keeper=token) as running:
        await opened(running)
        token.let.clear()
        try:
            # What it shows has come due.
            later = timedelta(hours=20)
            async with running.agent() as agent, asyncio.timeout(5):
                assert await agent.code("none") is grpc.StatusCode.UNAUTHENTICATED
        finally:
            token.let.set()


async def test_a_token_that_does_not_answer_is_given_up_and_its_work_with_it(
    authority: Authority, keeper: Pkcs11, csr: bytes, workload: WorkloadLeaf
) -> None:
    token = SlowToken(keeper)
    signing = authority(token)
    with pytest.raises(KeyUnavailable, match="no answer in 0 seconds"):
        await aside(signing.issuer.key, lambda: signing.sign(csr, workload), 0.3)
    with pytest.raises(KeyUnavailable, match="no answer in 0 seconds"):
        await aside(signing.issuer.key, lambda: signing.sign(csr, workload), 0.3)
    token.let.set()
    assert await aside(signing.issuer.key, lambda: signing.sign(csr, workload), 20)
    assert len(token.signed) == 2, "what had not begun was not begun for nobody"


URI = "pkcs11:token=proa;object=p256"


def read(trust_domain: TrustDomain, clock: Clock) -> tuple[Any, Material, Issuer]:
    public_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    written, root = secret(public_key, trust_domain, clock, URI)
    return written, stored_material(written), root


def test_what_is_stored_again_names_the_key_and_holds_none(trust_domain: TrustDomain, clock: Clock) -> None:
    written, material, _ = read(trust_domain, clock)
    again: Any = renewed_secret(written, material_secret(material))
    assert set(again["data"]) == {"tls.crt", "ca.crt", "key.uri"}
    assert b64decode(again["data"]["key.uri"]).decode() == URI
    assert stored_material(again) == material
    assert "PRIVATE" not in json.dumps({name: b64decode(text).decode() for name, text in again["data"].items()})


def test_a_key_and_a_place_of_one_are_not_both_taken(trust_domain: TrustDomain, clock: Clock) -> None:
    written, _, _ = read(trust_domain, clock)
    for name, text in (("tls.key", "x"), ("key.uri", "pkcs11:?pin-value=SECRET")):
        wrong = {"data": {**written["data"], name: b64encode(text.encode()).decode()}}
        with pytest.raises(Refused) as caught:
            stored_material(wrong)
        assert "SECRET" not in str(caught.value)


def test_nobody_here_renews_an_issuer_whose_key_lies_elsewhere(trust_domain: TrustDomain, clock: Clock) -> None:
    _, material, _ = read(trust_domain, clock)
    end = material.issuer.issuing.validity.not_after
    assert renewal(end - timedelta(days=1), material) == Rest(end)


def test_a_root_whose_key_lies_elsewhere_signs_no_intermediate_here(trust_domain: TrustDomain, clock: Clock) -> None:
    _, material, _ = read(trust_domain, clock)
    with pytest.raises(Invalid, match="one elsewhere"):
        new_intermediate(trust_domain, material.issuer, clock())


def test_the_certificate_of_the_key_is_what_the_secret_says(trust_domain: TrustDomain, clock: Clock) -> None:
    _, material, root = read(trust_domain, clock)
    assert isinstance(material.issuer.key, KeyElsewhere)
    assert material.issuer.key.public_key() == material.issuer.issuing.public_key
    assert material.root == root.issuing.certificate
    assert isinstance(material.root, x509.Certificate)
