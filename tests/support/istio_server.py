"""The server of Istio's protocol alone, with whatever answers, and a channel to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from ca.authority import CertificateAuthority, self_signed_authority
from ca.istio.connections import SHARE, Share
from ca.istio.issuance import Call
from ca.istio.server import PATIENCE, Patience, Server
from ca.istio.serving import Credential, credential
from ca.istio.verdict import Refuse
from proa.clock import system_clock
from proa.errors import Invalid
from proa.identity import TrustDomain
from support.istio import LOCAL, NAME

SERVICE = "istio.v1.auth.IstioCertificateService"
METHOD = f"/{SERVICE}/CreateCertificate"


class Shown:
    """What the server shows: of *authority*, which may be another one later."""

    def __init__(self) -> None:
        self.authority: CertificateAuthority | None = self_signed_authority(TrustDomain("cluster.local"), system_clock)
        self._made: Credential | None = None

    def __call__(self) -> Credential:
        if self.authority is None:
            raise Invalid("the issuer", "none", "one")
        self._made = credential(self.authority, system_clock, self._made)
        return self._made

    @property
    def roots(self) -> bytes:
        assert self.authority is not None
        return self.authority.trust_bundle.encode()


async def echo(call: Call) -> bytes | Refuse:
    return call.message


@asynccontextmanager
async def serving(
    answer: Any = echo, patience: Patience = PATIENCE, share: Share = SHARE
) -> AsyncIterator[tuple[Shown, int]]:
    shown = Shown()
    server = Server({SERVICE: {"CreateCertificate": answer}}, shown, LOCAL, patience, share)
    await server.open()
    try:
        yield shown, server.bound[0]
    finally:
        await server.close()


def opened(shown: Shown, port: int) -> Any:
    names = {"grpc.ssl_target_name_override": NAME, "grpc.enable_retries": 0, "grpc.use_local_subchannel_pool": 1}
    credentials = grpc.ssl_channel_credentials(shown.roots)
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, tuple(names.items()))
