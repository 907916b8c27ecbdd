"""Brings the register in line with who issues and what is revoked: one look, at most one write. Shell.

Which issuers wait and which CRLs are due, is `tending`'s; those that wait are made in a ceremony (`preparing`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from ca.ceremony.messages import CeremonyFailed
from ca.phases import record_of
from ca.reports import Reports
from ca.revocation.metrics import Metrics
from ca.revocation.register import Register
from ca.revocation.storage import store, stored_register
from ca.revocation.tending import lacking, next_look, tended, with_crls
from ca.storage import Issuing
from ca.stored import ISSUER_SECRET, stored_material
from kube.client import Client
from kube.failures import AlreadyExists, Conflict
from kube.resources import SECRETS
from proa.clock import Clock
from proa.errors import Invalid, ProaError, Refused
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import SYSTEM_NAMESPACE

_LOOK: Final = timedelta(minutes=30)
_SOON: Final = timedelta(seconds=15)
_LOG: Final = structlog.get_logger("ca.audit")


class LiveCrls:
    """The CRLs as this process last stored them or found them stored; nothing while it does not lead."""

    def __init__(self) -> None:
        self.pem = ""
        self._subscribers: list[Callable[[], None]] = []

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._subscribers.append(changed)

    def show(self, pem: str) -> None:
        if pem != self.pem:
            self.pem = pem
            for changed in self._subscribers:
                changed()


@dataclass(frozen=True, slots=True)
class Listing:
    """The leader's. Of *issuing* the keeper signs with keys that lie elsewhere."""

    client: Client
    clock: Clock
    reports: Reports
    metrics: Metrics
    crls: LiveCrls
    issuing: Issuing

    async def look(self, mesh: MeshConfiguration) -> timedelta:
        """How long to wait after what could be done."""
        try:
            return await self._tend(mesh)
        except (AlreadyExists, Conflict):
            return _SOON
        except ProaError as error:
            self.reports.warn("RevocationFailed", f"the CRLs: {error}")
        except Exception:  # noqa: BLE001 - what no code foresaw here must not keep pods from their certificates
            structlog.get_logger("ca").exception("CRLs not kept")
        return _SOON

    async def _tend(self, mesh: MeshConfiguration) -> timedelta:
        now = self.clock()
        secret = await self.client.get(SECRETS, ISSUER_SECRET, SYSTEM_NAMESPACE)
        longest, found = record_of(secret).longest, await stored_register(self.client)
        register = self._with_issuers(found.register, secret)
        # In a thread, as a token takes its time.
        register = await asyncio.to_thread(with_crls, register, longest, now, self.issuing.keeper)
        if register != found.register:
            await store(self.client, register, found.version)
            self._say(found.register, register)
        self.metrics.show(register)
        self.crls.show(register.pem)
        await self._prepare(register, secret, mesh)
        due = next_look(register, longest)
        return _LOOK if due is None else min(_LOOK, due - now)

    def _with_issuers(self, register: Register, secret: Json) -> Register:
        """As they are by now. What an admin has to mend of them keeps no CRL from being renewed."""
        try:
            return tended(register, stored_material(secret), record_of(secret).longest, self.clock())
        except (Invalid, Refused) as problem:
            self._warn(problem)
            return register

    async def _prepare(self, register: Register, secret: Json, mesh: MeshConfiguration) -> None:
        """Those that have to wait, below each trusted root, as far as its key is here: only the ceremony can tell. What
        comes of it is news of the register."""
        try:
            material = stored_material(secret)
            if lacking(register, material.roots, material, record_of(secret).longest, self.clock()):
                self.metrics.signed(await self.issuing.ceremony.prepare(mesh))
        except (Invalid, Refused):
            pass
        except CeremonyFailed as failed:
            if not failed.lasting:
                raise
            self._warn(failed)

    def _warn(self, problem: ProaError) -> None:
        self.reports.warn("RevocationFailed", f"the issuers' CRLs: {problem}")

    def _say(self, before: Register, after: Register) -> None:
        """Of each certificate once when it is on the list, and once when it is no more."""
        self.metrics.signed(sum(crl not in before.crls for crl in after.crls))
        listed = {each.serial_number for crl in before.crls for each in crl}
        for each in after.revoked:
            if each.serial not in listed:
                _LOG.info(
                    "revoked",
                    door="revocation",
                    serial=f"{each.serial:x}",
                    issuer_key=each.issuer,
                    revoked_at=f"{each.at:%Y-%m-%dT%H:%M:%SZ}",
                    not_after=f"{each.not_after:%Y-%m-%dT%H:%M:%SZ}",
                )
        for each in before.revoked:
            if each not in after.revoked:
                _LOG.info("revocation over", door="revocation", serial=f"{each.serial:x}", issuer_key=each.issuer)
