"""Has cert-manager sign the next issuer, and puts it in force: one look, as far as it has come. Shell.

The key and the request wait in the Secret `proa-ca-request`, so whoever leads next goes on with the same. When that
Secret goes, cert-manager's object goes with it.
"""

from contextlib import suppress

from ca.certmanager.signing import Declined, Pending, Signed, answer, certificate_request
from ca.material import Material
from ca.requesting import install, waiting_request
from ca.upstream import REQUEST_SECRET
from kube.client import Client
from kube.failures import AlreadyExists
from kube.resources import CERTIFICATE_REQUESTS, SECRETS, key_of
from proa.clock import Clock
from proa.errors import Invalid
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import SYSTEM_NAMESPACE
from proa.upstreams import CertManager


async def ask(client: Client, mesh: MeshConfiguration, upstream: CertManager, clock: Clock) -> Material | None:
    """What is in force by its answer; None while there is none. Raises ProaError: also where it declined, and where the
    answer does not fit. What was declined is taken away, and the next look asks anew."""
    wanted = certificate_request(await waiting_request(client, mesh), upstream)
    match answer(await _asked(client, wanted)):
        case Pending():
            return None
        case Declined(reason):
            await client.delete(SECRETS, REQUEST_SECRET, SYSTEM_NAMESPACE)
            raise Invalid("the issuer's request", reason, f"{upstream.issuer_kind} {upstream.issuer} to sign it")
        case Signed(certificates):
            return await install(client, certificates, mesh, clock)


async def _asked(client: Client, wanted: dict[str, Json]) -> Json:
    with suppress(AlreadyExists):
        return await client.create(CERTIFICATE_REQUESTS, wanted)
    return await client.get(CERTIFICATE_REQUESTS, key_of(wanted).name, SYSTEM_NAMESPACE)
