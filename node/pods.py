"""What of a pod the agent needs to know. Pure."""

from dataclasses import dataclass
from typing import Final

from kube.resources import Key, Object, key_of
from node.cni import Owner
from proa.capture.annotation import ANNOTATION
from proa.json import Json
from proa.trees import members, text

_MIRROR: Final = "kubernetes.io/config.mirror"
"""Annotation of a static pod's image in the API server: the UID by which the kubelet and the runtime call that pod."""
_OVER: Final = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class Pod:
    key: Key
    uid: str
    account: str
    """Its service account; "" for the image of a static pod, which has none."""
    node: str
    mirrored: str
    """The UID of the static pod that it stands for; "" for any other."""
    wanted: str | None
    """The annotation that says what is to be programmed; None for nothing."""
    over: bool
    """No container of it will run any more, or not for long."""


def pod(item: Json) -> Pod:
    """From the API server's. Raises Invalid if it has no name."""
    metadata, spec, status = (members(item, name) for name in ("metadata", "spec", "status"))
    annotations = members(metadata, "annotations")
    mirrored = text(annotations, _MIRROR)
    # A static pod was never injected, whatever was done to its image; and the node's own network is not a pod's.
    ours = not mirrored and spec.get("hostNetwork") is not True
    return Pod(
        key=key_of(item),
        uid=text(metadata, "uid"),
        account="" if mirrored else text(spec, "serviceAccountName"),
        node=text(spec, "nodeName"),
        mirrored=mirrored,
        wanted=text(annotations, ANNOTATION) if ours and ANNOTATION in annotations else None,
        over=status.get("phase") in _OVER or "deletionTimestamp" in metadata,
    )


def owns(found: Pod, owner: Owner) -> bool:
    """Whether *found* is the pod that *owner* means, and not a namesake made after it or before."""
    return found.key == Key(owner.namespace, owner.name) and owner.uid in {found.uid, found.mirrored} - {""}


def reference(found: Pod) -> Object:
    """As an Event names what it is about."""
    metadata: Json = {"namespace": found.key.namespace, "name": found.key.name, "uid": found.uid}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
