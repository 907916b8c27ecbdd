"""Applies and removes objects, and waits for what they start. Shell: what and in which order is decided before."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias, TypeVar

from installation import survey
from installation.changes import Create, Keep, Remove, Step, change, title
from installation.progress import Wanted, outstanding, unproved
from installation.reading import read_deployments, read_rehearsal
from kube.client import Client
from kube.failures import ApiRefused, Conflict, NotFound
from kube.resources import MUTATING_WEBHOOKS, Object, key_of, resource_of
from proa import names
from proa.errors import ProaError
from proa.json import Json

MANAGER: Final = "proa"
"""The field manager of all that the command applies."""
INTERVAL: Final = 1.0
"""Seconds between two looks at what is awaited."""
SYSTEM_NAMESPACE: Final[Json] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.SYSTEM_NAMESPACE}}
T = TypeVar("T")
Told: TypeAlias = Callable[[str], None]
"""Is told each thing that is done or awaited."""


@dataclass(eq=False)
class NotApplicable(ProaError):
    """The API server would not take everything: nothing was changed."""

    code: ClassVar[str] = "not_applicable"
    problems: tuple[str, ...]

    def __str__(self) -> str:
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"the API server would refuse this, so nothing was changed:{lines}"


async def planned(client: Client, wanted: Iterable[Json], surplus: Iterable[Json], *, force: bool) -> tuple[Step, ...]:
    """What `apply` would do, by a dry run on the API server. Raises NotApplicable with all that it would refuse."""
    there = await _current(client, SYSTEM_NAMESPACE)
    tries = (_tried(client, each, empty=there is None, force=force) for each in wanted)
    tried = await asyncio.gather(*tries)
    refused = tuple(dict.fromkeys(each for each in tried if isinstance(each, str)))
    if refused:
        raise NotApplicable(refused)
    steps = tuple(each for each in tried if not isinstance(each, str))
    return (*steps, *(Remove(title(each)) for each in surplus))


async def apply(client: Client, wanted: Iterable[Json], told: Told, *, force: bool) -> None:
    """Server-side apply of *wanted*, in its order. Raises ApiRefused; what was applied before stays."""
    for each in wanted:
        await client.apply(each, MANAGER, force=force or _merged(each))
        told(f"applied {title(each)}")


async def remove(client: Client, unwanted: Iterable[Json], told: Told) -> None:
    """Deletes *unwanted*, in its order; what is gone already is fine."""
    for each in unwanted:
        key = key_of(each)
        try:
            await client.delete(resource_of(each), key.name, key.namespace or None)
        except NotFound:
            continue
        told(f"removed {title(each)}")


async def wait_ready(client: Client, wanted: Wanted, told: Told, seconds: float) -> tuple[str, ...]:
    """Waits until *wanted* is as it should be, *seconds* at most; what is outstanding then."""

    async def look() -> tuple[str, ...]:
        waiting = await _outstanding(client, wanted)
        if waiting:
            told("\n".join(waiting))
        return waiting

    return await _awaited(look, seconds)


async def wait_gone(client: Client, gone: Iterable[Json], seconds: float) -> tuple[Json, ...]:
    """Waits until *gone* are, *seconds* at most; what is still there then."""
    awaited = tuple(gone)

    async def look() -> tuple[Json, ...]:
        found = await asyncio.gather(*(_current(client, each) for each in awaited))
        return tuple(each for each in found if each is not None)

    return await _awaited(look, seconds)


async def _awaited(look: Callable[[], Awaitable[tuple[T, ...]]], seconds: float) -> tuple[T, ...]:
    """Looks again and again until nothing is left, or for *seconds*; what was left at the last look."""
    left = await look()
    try:
        async with asyncio.timeout(seconds):
            while left:
                await asyncio.sleep(INTERVAL)
                left = await look()
    except TimeoutError:
        return left
    return ()


async def _outstanding(client: Client, wanted: Wanted) -> tuple[str, ...]:
    found = await read_deployments(client)
    try:
        entries = survey.entries(await client.get(MUTATING_WEBHOOKS, wanted.registration))
    except NotFound:
        entries = ()
    waiting = outstanding(wanted.deployments, found, entries)
    return waiting or unproved(await read_rehearsal(client, wanted.stage))


async def _tried(client: Client, wanted: Json, *, empty: bool, force: bool) -> Step | str:
    """What would be done, or why it would be refused; *empty*: no namespace is there yet, so nothing in it is tried."""
    before = await _current(client, wanted)
    if before is None and empty and resource_of(wanted).namespaced:
        return Create(title(wanted))
    try:
        after = await _rehearsed(client, wanted, before, force=force or _merged(wanted))
    except ApiRefused as refusal:
        return f"{title(wanted)}: {refusal.message}"
    return Create(title(wanted)) if before is None else change(before, after)


async def _rehearsed(client: Client, wanted: Json, before: Json, *, force: bool) -> Object:
    """*wanted* as the API server would store it. Raises ApiRefused."""
    try:
        return await client.apply(wanted, MANAGER, dry_run=True, force=force)
    except Conflict:
        # Another manager's field with the same meaning is no conflict to anybody but the API server, which compares
        # what it was sent with what it made of it (`false` with nothing, for instance).
        after = await client.apply(wanted, MANAGER, dry_run=True, force=True)
        if isinstance(change(before, after), Keep):
            return after
        raise


async def _current(client: Client, wanted: Json) -> Object | None:
    key = key_of(wanted)
    try:
        return await client.get(resource_of(wanted), key.name, key.namespace or None)
    except NotFound:
        return None


def _merged(wanted: Json) -> bool:
    """Whether what another manager set in it was read, and is in what is applied: the mesh configuration."""
    return isinstance(wanted, dict) and wanted.get("kind") == "ConfigMap"
