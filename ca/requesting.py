"""Has an issuer's key made and its request kept; puts the upstream's answer in force. Shell, for an admin's command."""

import asyncio
from contextlib import suppress

from cryptography import x509

from ca.authority import CertificateAuthority
from ca.in_force import published_now
from ca.material import Material
from ca.phases import Resting, name_of, record_of
from ca.randomness import new_issuer_key, new_serial
from ca.selftest import failure, self_test
from ca.stored import ISSUER_SECRET, material_secret, renewed_secret, stored_material
from ca.upstream import REQUEST_SECRET, answered, issuer_request, put_in_force, request_secret, requested_key
from kube.client import Client
from kube.configured import Configured, configured
from kube.failures import AlreadyExists, NotFound
from kube.resources import CONFIG_MAPS, SECRETS
from proa.clock import Clock
from proa.errors import Invalid
from proa.identity import TrustDomain
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import CONFIGURATION_MAP, SYSTEM_NAMESPACE


async def request(client: Client) -> str:
    """A request in PEM, for a new key that waits in the cluster. Raises ProaError: also where one waits already."""
    try:
        return await new_request(client, await configuration(client))
    except AlreadyExists as error:
        remedy = f"none: install its answer, or delete the Secret {REQUEST_SECRET}, with which its key is lost"
        raise Invalid("the request", "another that waits for its answer", remedy) from error


async def configuration(client: Client) -> MeshConfiguration:
    """The mesh's, as it stands. Raises ProaError."""
    found = configured(
        Configured(), await client.get(CONFIG_MAPS, CONFIGURATION_MAP, SYSTEM_NAMESPACE), CONFIGURATION_MAP
    )
    if found.current is None:
        raise found.problem or Invalid(f"the ConfigMap {CONFIGURATION_MAP}", "nothing", "the mesh's configuration")
    return found.current


async def new_request(client: Client, mesh: MeshConfiguration) -> str:
    """As `request`, where the configuration is known. Raises AlreadyExists where one waits, and other ProaErrors."""
    key = await asyncio.to_thread(new_issuer_key, mesh.certificate.issuer_key)
    made = issuer_request(TrustDomain(mesh.trust_domain), key, new_serial())
    await client.create(SECRETS, request_secret(key, made))
    return made


async def waiting_request(client: Client, mesh: MeshConfiguration) -> Json:
    """The Secret with the request that waits for its answer; one is made where there is none. Raises ProaError."""
    with suppress(AlreadyExists):
        await new_request(client, mesh)
    return await client.get(SECRETS, REQUEST_SECRET, SYSTEM_NAMESPACE)


async def unanswered_request(client: Client, mesh: MeshConfiguration) -> Json:
    """As `waiting_request`, for who would answer the same request with another certificate: where an answer is in force
    already, its installer died before taking the request away, and each issuer has a key of its own."""
    waiting, secret = await waiting_request(client, mesh), await _issuer_secret(client)
    if secret is None or not put_in_force(waiting, stored_material(secret)):
        return waiting
    await client.delete(SECRETS, REQUEST_SECRET, SYSTEM_NAMESPACE)
    return await waiting_request(client, mesh)


async def install(
    client: Client, certificates: tuple[x509.Certificate, ...], mesh: MeshConfiguration, clock: Clock
) -> Material:
    """Issue with *certificates*, the answer to what `request` made. Raises ProaError, and leaves what is in force where
    no pod could be served by them."""
    try:
        waiting = await client.get(SECRETS, REQUEST_SECRET, SYSTEM_NAMESPACE)
    except NotFound as error:
        raise Invalid(f"the Secret {REQUEST_SECRET}", "none", "the one that `proa ca csr` makes") from error
    secret = await _issuer_secret(client)
    present = None if secret is None else stored_material(secret)
    material = answered(present, requested_key(waiting), certificates)
    _check_serves(material, TrustDomain(mesh.trust_domain), clock)
    if secret is None:
        await _check_nobody_trusts_another(client, material)
        await client.create(SECRETS, material_secret(material))
    else:
        _check_resting(secret)
        await client.replace(SECRETS, renewed_secret(secret, material_secret(material)))
    await client.delete(SECRETS, REQUEST_SECRET, SYSTEM_NAMESPACE)
    return material


async def _issuer_secret(client: Client) -> Json:
    try:
        return await client.get(SECRETS, ISSUER_SECRET, SYSTEM_NAMESPACE)
    except NotFound:
        return None


async def _check_nobody_trusts_another(client: Client, material: Material) -> None:
    if set(await published_now(client)) - set(material.roots):
        raise Invalid("the chain's root", "another than pods trust", f"theirs; or restore the Secret {ISSUER_SECRET}")


def _check_serves(material: Material, domain: TrustDomain, clock: Clock) -> None:
    """Where there is another in force, replicas would keep it in memory alone, and have none after a restart."""
    if problem := failure(self_test(), CertificateAuthority(material.issuer, material.roots, clock), domain):
        raise Invalid("the issuer's certificate", problem, "one by which pods can be served now")


def _check_resting(secret: Json) -> None:
    phase = record_of(secret).phase
    if not isinstance(phase, Resting):
        raise Invalid("the rotation of the root", name_of(phase), "none that is under way")
