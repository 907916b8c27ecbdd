"""Asks the API server, in plain JSON. Shell: what is sent is `calls`', by which connection is `connection`'s.

No call is repeated here: whether one is worth it, the caller knows (`failures.worth_a_retry`, `backoff`).
Every method raises Unreachable or ApiRefused (or a subclass of it), and Invalid for an object that has no place.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from typing import Protocol, cast

import msgspec

from kube import calls
from kube.calls import EVERYTHING, JSON, REFUSALS, SECONDS, Answer, Call, Query, Selectors
from kube.failures import ApiRefused, NotFound, refusal
from kube.resources import Key, Object, Resource, resource_of
from kube.versions import in_version, newest, versions
from proa.json import Json


class Connection(Protocol):
    """The wire to one API server."""

    @property
    def address(self) -> str:
        """The API server's URL."""
        ...

    async def send(self, call: Call) -> Answer:
        """Raises Unreachable."""
        ...

    def lines(self, call: Call) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The lines of an answer that does not end. Raises Unreachable, ApiRefused."""
        ...


class Client:
    """The API server, as one identity sees it. Made by `connected`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._served = dict[Resource, Resource]()

    @property
    def address(self) -> str:
        return self._connection.address

    def served(self, resource: Resource) -> Resource:
        """*resource* in the version that was served last."""
        return self._served.get(resource, resource)

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        return await self._of(resource, lambda used: calls.reading(used, Key(namespace or "", name)))

    async def list(
        self, resource: Resource, namespace: str | None = None, selectors: Selectors = EVERYTHING
    ) -> tuple[Object, ...]:
        """All of them, page by page; of all namespaces where *namespace* is None."""
        found, _ = await self.snapshot(resource, namespace, selectors)
        return found

    async def snapshot(
        self, resource: Resource, namespace: str | None, selectors: Selectors
    ) -> tuple[tuple[Object, ...], str]:
        """As `list`, and the resourceVersion from which a `watch` goes on. Raises Expired if a page is gone."""
        found: list[Object] = []
        page = await self._of(resource, lambda used: calls.listing(used, namespace, selectors))
        found.extend(calls.items(page, resource))
        while after := calls.list_metadata(page, "continue"):
            page = await self._sent(calls.listing(self.served(resource), namespace, selectors, after))
            found.extend(calls.items(page, resource))
        return tuple(found), calls.list_metadata(page, "resourceVersion")

    @asynccontextmanager
    async def watch(self, call: Call) -> AsyncGenerator[AsyncIterator[Json]]:
        """The events of `calls.watching`, from when the API server has taken the request. Ends when it ends it."""
        async with self._connection.lines(call) as lines, aclosing(_events(lines, call)) as events:
            yield events

    async def create(self, resource: Resource, item: Json, *, dry_run: bool = False) -> Object:
        """Raises AlreadyExists."""
        return await self._sent(calls.creation(resource, item, dry_run=dry_run))

    async def apply(self, item: Json, manager: str, *, dry_run: bool = False, force: bool = False) -> Object:
        """Server-side apply. Raises Conflict where a field is another manager's, unless *force*."""
        resource = resource_of(item)
        return await self._of(
            resource, lambda used: calls.application(in_version(item, used), manager, dry_run=dry_run, force=force)
        )

    async def patch_status(self, resource: Resource, item: Json, manager: str) -> Object:
        """Server-side apply of `status`, with force: who writes a status owns it. *item* has apiVersion, kind,
        metadata and status; a `metadata.resourceVersion` makes it fail with Conflict if somebody was faster."""
        return await self._of(resource, lambda used: calls.status_application(used, in_version(item, used), manager))

    async def replace(self, resource: Resource, item: Json) -> Object:
        """Raises Conflict if *item* was changed since it was read."""
        return await self._sent(calls.replacement(resource, item))

    async def delete(
        self, resource: Resource, name: str, namespace: str | None = None, *, dry_run: bool = False
    ) -> None:
        """Raises NotFound. It returns before finalizers and what the object owns are done with."""
        await self._of(resource, lambda used: calls.deletion(used, Key(namespace or "", name), dry_run=dry_run))

    async def version(self) -> str:
        """Such as `v1.37.0`."""
        return str((await self.request("GET", "/version")).get("gitVersion", ""))

    async def supports(self, resource: Resource) -> bool:
        """Whether this API server serves that kind, in one of its versions."""
        return await self._newest(resource) is not None

    async def allowed(
        self, verb: str, resource: Resource, namespace: str | None = None, name: str = "", subresource: str = ""
    ) -> bool:
        """Whether the API server would let us; without a *namespace* in all of them, without a *name* on any."""
        key = Key(namespace or "", name)
        match await self._sent(calls.access_question(verb, resource, key, subresource)):
            case {"status": {"allowed": True}}:
                return True
            case _:
                return False

    async def merge(self, resource: Resource, key: Key, patch: Json, manager: str) -> Object:
        """JSON Merge Patch (RFC 7396)."""
        return await self._sent(calls.merging(resource, key, patch, manager))

    async def request(
        self, method: str, path: str, query: Query = (), body: Json = None, content_type: str = JSON
    ) -> Object:
        """Whatever else the API server answers with a JSON object."""
        return await self._sent(Call(method, path, query, body, content_type, SECONDS))

    async def _of(self, resource: Resource, call: Callable[[Resource], Call]) -> Object:
        """*call* in the version that is served. Which one is, is asked when something is not found: at first, and when
        the API server is another one."""
        used = self.served(resource)
        try:
            return await self._sent(call(used))
        except NotFound:
            found = await self._newest(resource) if resource.older else used
            if found is None or found == used:
                raise
            self._served[resource] = found
            return await self._sent(call(found))

    async def _newest(self, resource: Resource) -> Resource | None:
        return newest(resource, {each.root: await self._described(each.root) for each in versions(resource)})

    async def _described(self, root: str) -> Json:
        try:
            return await self.request("GET", root)
        except NotFound:
            return None

    async def _sent(self, call: Call) -> Object:
        answer = await self._connection.send(call)
        if answer.status >= REFUSALS:
            raise refusal(answer.status, answer.body, str(call), answer.retry_after)
        try:
            return cast("Object", msgspec.json.decode(answer.body, type=dict[str, object]))
        except msgspec.MsgspecError as error:
            raise ApiRefused(
                answer.status, "NotJson", f"not the answer of an API server: {error}", str(call)
            ) from error


async def _events(lines: AsyncIterator[bytes], call: Call) -> AsyncGenerator[Json]:
    async for line in lines:
        try:
            yield cast("Json", msgspec.json.decode(line))
        except msgspec.DecodeError as error:
            # A proxy that ends an answer in the middle of a line ends it properly.
            raise ApiRefused(500, "NotJson", f"a broken line: {error}", str(call)) from error


@asynccontextmanager
async def connected(
    kubeconfig: Path | None = None,
    context: str | None = None,
    through: Callable[[Connection], Connection] | None = None,
) -> AsyncGenerator[Client]:
    """A client of the cluster that *kubeconfig* and *context* name. Nothing is sent before the first call, and all of
    it *through* a connection that is laid on the wire's, if one is given.

    Without either: of the one KUBECONFIG names, else of the one whose ServiceAccount this process has, else of
    ~/.kube/config. Raises Invalid where what names the cluster cannot be used.
    """
    # Imported here: kubernetes and aiohttp take half a second, and most commands never need them.
    from kube.connection import opened  # noqa: PLC0415

    async with opened(kubeconfig, context) as connection:
        yield Client(through(connection) if through else connection)
