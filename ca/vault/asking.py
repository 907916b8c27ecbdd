"""Has Vault sign the next issuer, and puts it in force. Shell.

The key and the request wait in the Secret `proa-ca-request` meanwhile. Whoever dies after Vault has signed leaves a
certificate there that nobody uses; the next leader has the same request signed again.
"""

from contextlib import suppress
from pathlib import Path

from cryptography import x509

from ca.material import Material
from ca.requesting import install, unanswered_request
from ca.upstream import requested
from ca.vault.calls import farewell, logged_in, login, signed, signing
from ca.vault.failures import VaultUnavailable
from ca.vault.files import DIRECTORY
from ca.vault.wire import Wire, account_token, opened
from kube.client import Client
from proa.clock import Clock
from proa.mesh import MeshConfiguration
from proa.upstreams import VaultPki


async def ask(
    client: Client, mesh: MeshConfiguration, upstream: VaultPki, clock: Clock, directory: Path = Path(DIRECTORY)
) -> Material:
    """What is in force by Vault's answer; *directory* has its CA and the ServiceAccount's token. Raises ProaError."""
    waiting = await unanswered_request(client, mesh)
    async with opened(upstream, directory) as wire:
        certificates = await _signed(wire, requested(waiting), account_token(directory))
    return await install(client, certificates, mesh, clock)


async def _signed(wire: Wire, request: str, account: str) -> tuple[x509.Certificate, ...]:
    entering = login(wire.upstream, account)
    token = logged_in(entering, await wire.send(entering), wire.upstream)
    try:
        call = signing(wire.upstream, request, token)
        return signed(call, await wire.send(call), wire.upstream)
    finally:
        # A token that cannot be revoked, such as a batch token, ends by its role's `token_ttl`.
        with suppress(VaultUnavailable):
            await wire.send(farewell(token))
