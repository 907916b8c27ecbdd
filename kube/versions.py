"""In which version a kind is asked for: the newest that the API server serves. Pure."""

from collections.abc import Mapping

from kube.resources import Resource
from proa.json import Json
from proa.trees import listed, text


def newest(resource: Resource, described: Mapping[str, Json]) -> Resource | None:
    """*resource* in the newest of its versions that is served; None where none is. *described* are the
    APIResourceLists at each version's `root`."""
    served = (each for each in versions(resource) if _serves(described.get(each.root), each))
    return next(served, None)


def versions(resource: Resource) -> tuple[Resource, ...]:
    """All that Proa knows, newest first."""
    return (resource, *resource.older)


def in_version(item: Json, used: Resource) -> Json:
    """*item* as one of the version of *used*: those of a kind that Proa writes have the same members in each."""
    return {**item, "apiVersion": used.api_version} if isinstance(item, dict) else item


def _serves(described: Json, resource: Resource) -> bool:
    return any(text(each, "name") == resource.plural for each in listed(described, "resources"))
