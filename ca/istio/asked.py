"""What a client of Istio's protocol asks for, and who it proves to be. Pure."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from proa.identity import WorkloadIdentity

Address: TypeAlias = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. *seconds* is the life that the certificate should have, 0 or less for the mesh's own; *signer* and
    *impersonated* are empty where nobody is named."""

    csr: bytes
    seconds: int = 0
    signer: str = ""
    impersonated: str = ""


@dataclass(frozen=True, slots=True)
class PodToken:
    """Who asks is a pod that the API server knows by its token. *node* is empty where the token does not name it,
    *credential* is the token's own identifier, which is no secret."""

    namespace: str
    account: str
    account_uid: str
    pod: str
    pod_uid: str
    node: str = ""
    credential: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Who asks holds the key of a certificate of ours, and does so from *address*; None where it is not known."""

    identity: WorkloadIdentity
    serial: int
    not_after: datetime
    address: Address | None


Caller: TypeAlias = PodToken | Certificate
