"""Which file an object stands in: what an admin reads together. Pure."""

from collections.abc import Iterable
from typing import Final

from installation.metadata import COMPONENT
from installation.noted import Fields, plain
from installation.trees import text

_BY_KIND: Final = {
    "MutatingWebhookConfiguration": "registration",
    "Issuer": "certificates",
    "Certificate": "certificates",
}
_BY_COMPONENT: Final = {
    "cli": "namespace",
    "network": "namespace",
    "priority": "namespace",
}


def group(described: Fields) -> str:
    """The name of the file, without its ending."""
    raw = plain(described)
    component = text(raw, "metadata", "labels", COMPONENT)
    return _BY_KIND.get(text(raw, "kind")) or _BY_COMPONENT.get(component, component)


def grouped(objects: Iterable[Fields]) -> dict[str, list[Fields]]:
    """The objects by their file, both in order of appearance."""
    groups: dict[str, list[Fields]] = {}
    for each in objects:
        groups.setdefault(group(each), []).append(each)
    return groups
