"""Follows the ConfigMap with the mesh configuration. Shell; which one is in force, is `configured`'s."""

import asyncio
from collections.abc import Callable
from typing import Never

import structlog
from prometheus_client import CollectorRegistry, Gauge

from kube.calls import Selection, Selectors
from kube.client import Client
from kube.configured import Configured, Reading, configured
from kube.events import record
from kube.index import Index
from kube.resources import CONFIG_MAPS, Key, key_of
from kube.until import until
from proa.clock import Clock, system_clock
from proa.errors import ProaError
from proa.json import Json
from proa.mesh import MeshConfiguration, mesh_configuration
from proa.names import SYSTEM_NAMESPACE


class LiveConfiguration:
    """The configuration of the ConfigMap *name*, as it is now, or as it was when it last could be used.

    While the newest cannot be used `problem` says why, the gauge `proa_configuration_valid` is 0, and the ConfigMap
    carries an Event.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        registry: CollectorRegistry,
        namespace: str = SYSTEM_NAMESPACE,
        clock: Clock = system_clock,
        reading: Reading = mesh_configuration,
    ) -> None:
        """*reading* says what is a configuration: a process may ask more of one than that its fields are right."""
        self._client, self._key, self._clock = client, Key(namespace, name), clock
        self._reading, self._state = reading, Configured()
        self._subscribers: list[Callable[[MeshConfiguration], None]] = []
        self._unsaid: asyncio.Queue[tuple[Json, str]] = asyncio.Queue(maxsize=1)
        self._log = structlog.get_logger("configuration").bind(config_map=str(self._key))
        self._valid = validity(registry)
        selection = Selection(namespace, Selectors(field=f"metadata.name={name}"))
        self._index = Index(client, CONFIG_MAPS, selection, _content)
        self._index.subscribe(self._seen)
        self.synced = self._index.synced
        """Set once the API server said what there is, be it nothing."""

    @property
    def current(self) -> MeshConfiguration | None:
        return self._state.current

    @property
    def problem(self) -> ProaError | None:
        """Why the newest is not in force; before `synced`, why the API server cannot be asked."""
        return self._state.problem or (None if self.synced.is_set() else self._index.problem)

    def subscribe(self, callback: Callable[[MeshConfiguration], None]) -> None:
        """Call back with the configuration in force, now if there is one, and whenever another comes into force."""
        self._subscribers.append(callback)
        if self.current is not None:
            callback(self.current)

    async def service(self, stopping: asyncio.Event) -> None:
        """A `proa.running.Service`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._index.service(stopping))
            group.create_task(until(stopping, self._find_absent()))
            group.create_task(until(stopping, self._record()))

    def _seen(self, _: Key, config_map: Json) -> None:
        before, self._state = self._state, configured(self._state, config_map, str(self._key), self._reading)
        problem, current = self._state.problem, self._state.current
        self._valid.set(problem is None)
        if problem is not None:
            self._log.error("configuration not usable", error=str(problem), code=problem.code)
            if config_map is not None:
                self._say(config_map, str(problem))
            return
        if self._state.document != before.document:
            self._log.info("configuration in force", document=self._state.document)
        if current is not None and current != before.current:
            for callback in tuple(self._subscribers):
                callback(current)

    async def _find_absent(self) -> None:
        """The index tells of what is there: that nothing is, is told here."""
        await self.synced.wait()
        if self._index.get(*self._key) is None:
            self._seen(self._key, None)

    def _say(self, config_map: Json, problem: str) -> None:
        if self._unsaid.full():
            self._unsaid.get_nowait()
        self._unsaid.put_nowait((config_map, problem))

    async def _record(self) -> Never:
        while True:
            config_map, problem = await self._unsaid.get()
            await record(self._client, config_map, "ConfigurationInvalid", problem, "Warning", self._clock)


def validity(registry: CollectorRegistry) -> Gauge:
    """The gauge that says whether the newest configuration is in force, wherever it comes from."""
    meaning = "1 while the newest mesh configuration is in force, 0 while it cannot be used."
    return Gauge("proa_configuration_valid", meaning, registry=registry)


def _content(config_map: Json) -> Json:
    """What is read of a ConfigMap. Changes beside it, as of an annotation, are none."""
    fields = config_map if isinstance(config_map, dict) else {}
    metadata = fields.get("metadata")
    identity = {"uid": metadata.get("uid")} if isinstance(metadata, dict) else {}
    namespace, name = key_of(config_map)
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": {"namespace": namespace, "name": name, **identity},
        "data": fields.get("data"),
    }
