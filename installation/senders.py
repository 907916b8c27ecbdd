"""As which user and group a container of a pod dials: the rules tell the sidecar from the application by them. Pure."""

from collections.abc import Iterator
from typing import TypeAlias

from init.fate import Sender
from installation.trees import listed, member, text, texts
from proa import names
from proa.capture.interception import Interception
from proa.capture.provers import application_ids
from proa.errors import Invalid, shown
from proa.json import Json

_Ids: TypeAlias = tuple[int | None, int | None]
"""A user and a group; None is one that nobody says."""


def sender(pod: Json, container: str, given: _Ids, wanted: Interception) -> tuple[Sender, tuple[str, ...]]:
    """Who dials in *container*, in the pod's first if it is "", and what of that was taken for granted.

    *given* ids win over those that the pod says. Raises Invalid where it has no such container.
    """
    inside = _container(container, pod)
    said = (_id(given[0], "runAsUser", inside, pod), _id(given[1], "runAsGroup", inside, pod))
    uid, gid = (own if own is not None else any_ for own, any_ in zip(said, application_ids(wanted), strict=True))
    return Sender(uid, gid), tuple(_assumed(text(inside, "name"), said, (uid, gid)))


def _container(name: str, pod: Json) -> Json:
    """The one of this name; without one, the one that kubectl would take."""
    every = [each for key in ("containers", "initContainers") for each in listed(pod, "spec", key)]
    meant = name or texts(pod, "metadata", "annotations").get(names.DEFAULT_CONTAINER, "")
    found = [each for each in every if text(each, "name") == meant]
    if name and not found:
        raise Invalid("--container", shown(name), ", ".join(text(each, "name") for each in every))
    return next(iter(found or every), None)


def _id(given: int | None, key: str, container: Json, pod: Json) -> int | None:
    """A container's own before its pod's."""
    of_container, of_pod = (member(each, "securityContext", key) for each in (container, member(pod, "spec")))
    candidates = (given, of_container, of_pod)
    return next((each for each in candidates if isinstance(each, int) and not isinstance(each, bool)), None)


def _assumed(container: str, said: _Ids, taken: tuple[int, int]) -> Iterator[str]:
    """What only the image says, which is not looked into."""
    for what, flag, own, each in zip(("user", "group"), ("--uid", "--gid"), said, taken, strict=True):
        if own is None:
            yield f"container {container} names no {what}: {each} is taken, which no setting names; {flag} says another"
