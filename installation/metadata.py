"""What every object of an installation carries: its name, its namespace and the labels it is found by. Pure."""

from typing import Final

from installation.noted import Fields
from installation.options import DEFAULT_REVISION, Options
from kube.calls import Selectors
from proa import names
from proa.release import VERSION

PART_OF: Final = "app.kubernetes.io/part-of"
COMPONENT: Final = "app.kubernetes.io/component"
PRODUCT: Final = "proa"
OURS: Final = Selectors(label=f"{PART_OF}={PRODUCT}")
"""Takes every object of an installation."""


def shared(name: str, component: str, **more: str) -> Fields:
    """The metadata of an object that all revisions share: no label names a revision."""
    return {"name": name, "labels": {**_labels(name, component), **more}}


def own(options: Options, name: str, component: str) -> Fields:
    """The metadata of an object that belongs to one revision."""
    return {"name": name, "labels": {**_labels(name, component), names.REVISION: revision_label(options)}}


def inside(metadata: Fields, namespace: str = names.SYSTEM_NAMESPACE) -> Fields:
    """*metadata* of an object in a namespace of Proa's own."""
    return {"name": metadata["name"], "namespace": namespace, "labels": metadata["labels"]}


def selecting(name: str) -> dict[str, str]:
    """The labels that select the pods of Deployment *name*, and no other revision's."""
    return {"app.kubernetes.io/name": name, PART_OF: PRODUCT}


def revision_label(options: Options) -> str:
    return options.revision or DEFAULT_REVISION


def _labels(name: str, component: str) -> dict[str, str]:
    return {**selecting(name), COMPONENT: component, "app.kubernetes.io/version": VERSION}
