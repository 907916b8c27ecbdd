"""The door of Secrets as the leader's duty: open while the mesh's configuration wants it. Shell."""

import asyncio

from ca.accounts.keeping import Keeping, Surroundings
from ca.waiting import waited
from proa.doors import AccountSecrets
from proa.mesh import MeshConfiguration


class AccountsDoor:
    """It may be opened again and again: whoever leads opens it."""

    def __init__(self, around: Surroundings) -> None:
        self._around, self._news = around, asyncio.Event()
        self._keeping: Keeping | None = None
        around.material.subscribe(self._changed)
        around.configuration.subscribe(lambda _: self._changed())

    async def keep(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            mesh = self._around.configuration.current
            if mesh is not None and _wanted(mesh):
                await self._open(stopping, mesh)
            else:
                await waited(stopping, self._news)

    async def _open(self, stopping: asyncio.Event, mesh: MeshConfiguration) -> None:
        """Until the configuration is another one."""
        closing, self._keeping = asyncio.Event(), Keeping(self._around, mesh)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keeping.service(closing))
                while self._around.configuration.current == mesh and not stopping.is_set():
                    await waited(stopping, self._news)
                closing.set()
        finally:
            self._keeping = None
            self._around.metrics.failing(0)

    def _changed(self) -> None:
        self._news.set()
        if self._keeping is not None:
            self._keeping.hasten()


def _wanted(mesh: MeshConfiguration) -> bool:
    return isinstance(mesh.authority.secrets, AccountSecrets)
