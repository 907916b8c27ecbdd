"""Carries out the rotation of roots: reads what stands in the cluster, writes what `rotation` says next. Shell.

For the process that holds a ceremony (`ceremony`): a root's key is in its memory.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, assert_never

import msgspec
from cryptography import x509

from ca.authority import new_intermediate, new_root
from ca.ceremony.messages import Looked, Told
from ca.creation import key_of
from ca.material import Issuer, Material
from ca.phases import Phase, name_of, record_of, recorded
from ca.revocation.register import Register
from ca.revocation.storage import stored_register
from ca.revocation.tending import waiting
from ca.root_secret import roots_secret, stored_roots
from ca.rotation import LOOK, SOON, step
from ca.standing import Standing, standing
from ca.stored import material_secret, renewed_secret
from ca.writes import Blocked, Decline, Enter, IssueUnder, KeepOnly, MakeRoot, Note, Wait, Write
from kube.client import Client
from kube.failures import Conflict
from kube.resources import SECRETS
from proa.clock import Clock
from proa.errors import ProaError
from proa.identity import TrustDomain
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.rootsmap import revokes

_MOST: Final = 24
"""Writes in a row: a whole rotation has eight. More would be two that undo each other's."""


@dataclass(frozen=True, slots=True)
class Rotating:
    """One look. *told* grows by what people are to know of it."""

    client: Client
    clock: Clock
    told: list[Told] = field(default_factory=list[Told])

    async def look(self, mesh: MeshConfiguration) -> Looked:
        """Write until there is nothing to write."""
        phase = ""
        try:
            for _ in range(_MOST):
                read = await standing(self.client, mesh)
                phase = name_of(read.found.record.phase)
                action = step(read.found, timedelta(seconds=mesh.certificate.lifetime_seconds), self.clock())
                match action:
                    case Wait(until):
                        return Looked(phase, until - self.clock(), tuple(self.told))
                    case Blocked(reason):
                        self._warn("RotationBlocked", reason)
                        return Looked(phase, LOOK, tuple(self.told))
                    case _:
                        await self._write(action, read, mesh)
        except Conflict:
            pass
        except ProaError as error:
            self._warn("RotationFailed", str(error))
        return Looked(phase, SOON, tuple(self.told))

    async def _write(self, action: Write, read: Standing, mesh: MeshConfiguration) -> None:
        match action:
            case Note(longest):
                record = msgspec.structs.replace(read.found.record, longest=longest)
                await self.client.replace(SECRETS, recorded(read.secret, record, read.found.wish))
            case Decline(reason):
                await self._decline(read.secret, reason)
            case Enter(phase, roots, note):
                await self._enter(read, Material(read.found.material.issuer, roots), phase, note)
            case IssueUnder(root, phase, note):
                issuer = await self._below(root, read, mesh)
                await self._enter(read, Material(issuer, read.found.material.roots), phase, note)
            case MakeRoot():
                await self._keep(read, *stored_roots(read.root_secret), await self._made(new_root, mesh))
            case KeepOnly(root):
                await self._keep(read, key_of(root, stored_roots(read.root_secret)))
            case _:
                assert_never(action)

    async def _below(self, root: x509.Certificate, read: Standing, mesh: MeshConfiguration) -> Issuer:
        """The one whose CRL pods have by now; where nobody asks for CRLs, one that is made now."""
        known = (await stored_register(self.client)).register if revokes(mesh) else Register()
        return waiting(known, root) or await self._made(
            new_intermediate, mesh, key_of(root, stored_roots(read.root_secret))
        )

    async def _made(self, make: Callable[..., Issuer], mesh: MeshConfiguration, *below: Issuer) -> Issuer:
        """In a thread, as keys of some kinds take their time."""
        domain = TrustDomain(mesh.trust_domain)
        return await asyncio.to_thread(make, domain, *below, self.clock(), mesh.certificate.issuer_key)

    async def _enter(self, read: Standing, material: Material, phase: Phase, note: str) -> None:
        record = msgspec.structs.replace(read.found.record, phase=phase)
        await self.client.replace(SECRETS, recorded(renewed_secret(read.secret, material_secret(material)), record))
        self.told.append(Told("Normal", "Rotation", f"{name_of(phase)}: {note}"))

    async def _decline(self, secret: Json, reason: str) -> None:
        await self.client.replace(SECRETS, recorded(secret, record_of(secret)))
        self._warn("RotationDeclined", reason)

    async def _keep(self, read: Standing, *roots: Issuer) -> None:
        await self.client.replace(SECRETS, renewed_secret(read.root_secret, roots_secret(roots)))

    def _warn(self, reason: str, message: str) -> None:
        self.told.append(Told("Warning", reason, message))
