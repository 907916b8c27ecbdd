"""The certificate that this door shows to its clients: made by the authority itself, in memory, when one is due. Shell.

No volume could bring it: the pod of the authority would wait for a certificate that only it can sign.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca.authority import CertificateAuthority
from ca.csr import stub_request
from ca.profile import DEFAULT_LEAF, ServingLeaf
from ca.randomness import new_key
from proa.clock import Clock
from proa.names import AUTHORITY_HOST

NAMES: Final = (AUTHORITY_HOST.removesuffix(".svc"), AUTHORITY_HOST, f"{AUTHORITY_HOST}.cluster.local")


@dataclass(frozen=True, slots=True)
class Credential:
    """PEM: *key*, *chain* without the root, and the *roots* that clients' certificates must come from. *authority* made
    it; another one is made at *due*."""

    key: bytes = field(repr=False)
    chain: bytes
    roots: bytes
    due: datetime
    authority: CertificateAuthority = field(repr=False)


def credential(authority: CertificateAuthority, clock: Clock, former: Credential | None) -> Credential:
    """*former*, if it is still good, or a new one. Raises ProaError where *authority* cannot issue."""
    if former is not None and former.authority is authority and clock() < former.due:
        return former
    key = new_key()
    chain = authority.sign(stub_request(key), ServingLeaf(NAMES), DEFAULT_LEAF)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Credential(secret, chain.pem.encode(), authority.trust_bundle.encode(), chain.begin_refresh_at, authority)
