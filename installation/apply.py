"""Applies and removes objects, and waits for what they start. Shell: what and in which order is decided before."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias, TypeVar

from installation import survey
from installation.changes import Create, Keep, Remove, Step, Title, change, title
from installation.progress import Wanted, outstanding, unproved
from installation.reading import read_deployments, read_rehearsal
from kube.client import Client
from kube.failures import ApiRefused, Conflict, NotFound, Unreachable, worth_a_retry
from kube.resources import MUTATING_WEBHOOKS, NAMESPACES, Object, key_of, resource_of
from proa.errors import ProaError
from proa.json import Json

MANAGER: Final = "proa"
"""The field manager of all that the command applies."""
INTERVAL: Final = 1.0
"""Seconds between two looks at what is awaited."""
T = TypeVar("T")
Look: TypeAlias = Callable[[], Awaitable[tuple[T, ...]]]
"""Tells what is still to come."""
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


@dataclass(eq=False)
class Interrupted(ProaError):
    """Not everything was done: it ended at *title* because of *cause*, and *done* changes were made before."""

    code: ClassVar[str] = "interrupted"
    title: Title
    cause: str
    done: int

    def __str__(self) -> str:
        before = f"{self.done} changes were made before this one, and stay" if self.done else "nothing was changed"
        return f"{self.title}: {self.cause}\n  {before}"


async def planned(client: Client, wanted: Iterable[Json], surplus: Iterable[Json], *, force: bool) -> tuple[Step, ...]:
    """What `apply` would do, by a dry run on the API server. Raises NotApplicable with all that it would refuse."""
    asked = tuple(wanted)
    made = [each for each in asked if resource_of(each) == NAMESPACES]
    absent = {key_of(each).name for each in made if await _current(client, each) is None}
    tries = (_tried(client, each, empty=key_of(each).namespace in absent, force=force) for each in asked)
    tried = await asyncio.gather(*tries)
    refused = tuple(dict.fromkeys(each for each in tried if isinstance(each, str)))
    if refused:
        raise NotApplicable(refused)
    steps = tuple(each for each in tried if not isinstance(each, str))
    return (*steps, *(Remove(title(each)) for each in surplus))


async def apply(client: Client, wanted: Iterable[Json], told: Told, *, force: bool) -> None:
    """Server-side apply of *wanted*, in its order. Raises Interrupted; what was applied before stays."""
    for done, each in enumerate(wanted):
        with _interrupting(each, done):
            await client.apply(each, MANAGER, force=force or _merged(each))
        told(f"applied {title(each)}")


async def remove(client: Client, unwanted: Iterable[Json], told: Told) -> None:
    """Deletes *unwanted*, in its order; what is gone already is fine. Raises Interrupted."""
    for done, each in enumerate(unwanted):
        key = key_of(each)
        with _interrupting(each, done):
            try:
                await client.delete(resource_of(each), key.name, key.namespace or None)
            except NotFound:
                continue
        told(f"removed {title(each)}")


@contextmanager
def _interrupting(each: Json, done: int) -> Generator[None]:
    """Whoever reads what ended the command must know that it had begun."""
    try:
        yield
    except (ApiRefused, Unreachable) as error:
        raise Interrupted(title(each), str(error), done) from error


async def wait_ready(client: Client, wanted: Wanted, told: Told, seconds: float) -> tuple[str, ...]:
    """Waits until *wanted* is as it should be, *seconds* at most; what is outstanding then."""

    async def look() -> tuple[str, ...]:
        waiting = await _outstanding(client, wanted)
        if waiting:
            told("\n".join(waiting))
        return waiting

    return await _awaited(look, ("the API server has not answered yet",), seconds)


async def wait_gone(client: Client, gone: Iterable[Json], seconds: float) -> tuple[Json, ...]:
    """Waits until *gone* are, *seconds* at most; what is still there then."""
    awaited = tuple(gone)

    async def look() -> tuple[Json, ...]:
        found = await asyncio.gather(*(_current(client, each) for each in awaited))
        return tuple(each for each in found if each is not None)

    return await _awaited(look, awaited, seconds)


async def _awaited(look: Look[T], left: tuple[T, ...], seconds: float) -> tuple[T, ...]:
    """Looks again and again until nothing is *left*, or for *seconds*; what was left at the last look."""
    left = await _seen(look, left)
    try:
        async with asyncio.timeout(seconds):
            while left:
                await asyncio.sleep(INTERVAL)
                left = await _seen(look, left)
    except TimeoutError:
        return left
    return ()


async def _seen(look: Look[T], before: tuple[T, ...]) -> tuple[T, ...]:
    """What a look shows: as *before* where the API server is away for a moment, which it may be while one waits."""
    try:
        return await look()
    except ProaError as error:
        if not worth_a_retry(error):
            raise
        return before


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
