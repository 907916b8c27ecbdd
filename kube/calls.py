"""What is sent to the API server, as values: method, path, query, body. Pure.

https://kubernetes.io/docs/reference/using-api/api-concepts/ and .../server-side-apply/.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlencode

from kube.resources import ACCESS_REVIEWS, Key, Resource, collection, key_of, place, resource_of
from proa.json import Json

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
"""Server-side apply. Its body is YAML, and so may be JSON."""
REFUSALS: Final = 400
"""HTTP statuses from here on."""
SECONDS: Final = 30.0
"""For one call, from connecting to the last byte."""
PAGE: Final = 500
"""Objects of one page of a list, as kubectl and client-go ask for."""
QUIET_SECONDS: Final = 100.0
"""The longest silence of a watch. The API server sends a bookmark about every minute; a connection that died without
a word, as behind a NAT, is so noticed."""
_SLACK_SECONDS: Final = 15.0
"""What the API server may end a watch later than it was asked to."""

Query: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Selectors:
    """Which objects of a kind: by their labels and by their fields, in the API server's own syntax."""

    label: str = ""
    field: str = ""

    def query(self) -> Query:
        both = (("labelSelector", self.label), ("fieldSelector", self.field))
        return tuple((name, value) for name, value in both if value)


EVERYTHING: Final = Selectors()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind a watch follows: of *namespace*, or of all of them where it is None."""

    namespace: str | None = None
    selectors: Selectors = EVERYTHING


@dataclass(frozen=True, slots=True)
class Call:
    """One request. *seconds* bounds all of it, *quiet_seconds* each wait for more of its answer."""

    method: str
    path: str
    query: Query = ()
    body: Json = None
    content_type: str = JSON
    seconds: float = SECONDS
    quiet_seconds: float = SECONDS

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    retry_after: str = ""


def reading(resource: Resource, key: Key) -> Call:
    return Call("GET", place(resource, key))


def listing(resource: Resource, namespace: str | None, selectors: Selectors, after: str = "") -> Call:
    """The first page of a list, or the one that *after* (`metadata.continue`) names."""
    page = (("limit", str(PAGE)), *((("continue", after),) if after else ()))
    return Call("GET", collection(resource, namespace), selectors.query() + page)


def watching(resource: Resource, namespace: str | None, selectors: Selectors, since: str, seconds: int) -> Call:
    """Events after the resourceVersion *since*, for *seconds* at most."""
    query: Query = (
        ("watch", "true"),
        ("allowWatchBookmarks", "true"),
        ("resourceVersion", since),
        ("timeoutSeconds", str(seconds)),
    )
    limits = (seconds + _SLACK_SECONDS, QUIET_SECONDS)
    return Call("GET", collection(resource, namespace), selectors.query() + query, None, JSON, *limits)


def creation(resource: Resource, item: Json, *, dry_run: bool) -> Call:
    """Of an object that has a name, or only a `generateName`."""
    return Call("POST", collection(resource, _namespace(item)), _dry(dry_run), item)


def application(item: Json, manager: str, *, dry_run: bool, force: bool) -> Call:
    """Server-side apply of exactly the fields of *item* as *manager*'s; *force* takes them from other managers."""
    return _applied(place(resource_of(item), key_of(item)), item, manager, dry_run=dry_run, force=force)


def status_application(resource: Resource, item: Json, manager: str) -> Call:
    return _applied(place(resource, key_of(item), "status"), item, manager, dry_run=False, force=True)


def replacement(resource: Resource, item: Json) -> Call:
    return Call("PUT", place(resource, key_of(item)), (), item)


def merging(resource: Resource, key: Key, patch: Json, manager: str) -> Call:
    return Call("PATCH", place(resource, key), (("fieldManager", manager),), patch, MERGE_PATCH)


def deletion(resource: Resource, key: Key, *, dry_run: bool) -> Call:
    """What the object owns is deleted after it."""
    options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    return Call("DELETE", place(resource, key), _dry(dry_run), options)


def access_question(verb: str, resource: Resource, key: Key, subresource: str) -> Call:
    """Whether the caller may; an empty namespace asks for all of them, an empty name for any."""
    asked = {
        "verb": verb,
        "group": resource.group,
        "version": resource.version,
        "resource": resource.plural,
        "subresource": subresource,
        "namespace": key.namespace,
        "name": key.name,
    }
    attributes: Json = {name: value for name, value in asked.items() if value}
    review: Json = {
        "apiVersion": ACCESS_REVIEWS.api_version,
        "kind": ACCESS_REVIEWS.kind,
        "spec": {"resourceAttributes": attributes},
    }
    return Call("POST", collection(ACCESS_REVIEWS), (), review)


def items(answer: Json, resource: Resource) -> Iterator[dict[str, Json]]:
    """The objects of a list, each with its apiVersion and kind, which the API server leaves out there."""
    found = answer.get("items") if isinstance(answer, dict) else None
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict):
            yield {"apiVersion": resource.api_version, "kind": resource.kind, **each}


def list_metadata(answer: Json, field: str) -> str:
    """`resourceVersion` or `continue` of a list; "" where it has none."""
    match answer:
        case {"metadata": dict(metadata)}:
            return str(metadata.get(field) or "")
        case _:
            return ""


def _applied(path: str, item: Json, manager: str, *, dry_run: bool, force: bool) -> Call:
    query: Query = (("fieldManager", manager), ("force", "true" if force else "false"), *_dry(dry_run))
    return Call("PATCH", path, query, item, APPLY_PATCH)


def _dry(dry_run: bool) -> Query:  # noqa: FBT001 - the API's own word
    return (("dryRun", "All"),) if dry_run else ()


def _namespace(item: Json) -> str:
    match item:
        case {"metadata": {"namespace": str(namespace)}}:
            return namespace
        case _:
            return ""
