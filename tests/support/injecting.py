"""Pods injected and restored in process, each patch applied by a library that is not ours."""

import json
from typing import Any, Final

import jsonpatch
import msgspec

from proa import names
from proa.mesh import MeshConfiguration
from proa.trees import same
from webhook.decision import Subject
from webhook.decoding import converted
from webhook.injection import Injection, Origin, injection
from webhook.pod import Pod
from webhook.sidecar import sidecar
from webhook.uninjection import uninjection

DEFAULT: Final = MeshConfiguration()


def decided(pod: Any, configuration: MeshConfiguration = DEFAULT, origin: Origin = Origin.API_SERVER) -> Injection:
    """In a namespace that is labelled."""
    subject = Subject(converted(pod, Pod, ""), "demo", {names.INJECT: "enabled"}, configuration)
    return injection(subject, sidecar(configuration), lambda: pod, origin)


def injected(pod: Any, configuration: MeshConfiguration = DEFAULT, origin: Origin = Origin.API_SERVER) -> Any:
    return patched(pod, decided(pod, configuration, origin).operations)


def uninjected(pod: Any) -> Any:
    return patched(pod, uninjection(pod))


def patched(pod: Any, operations: Any) -> Any:
    return jsonpatch.apply_patch(pod, json.loads(msgspec.json.encode(operations)))


def in_list(pod: Any, place: str, name: str) -> Any:
    return next(item for item in pod["spec"][place] if item["name"] == name)


def assert_same(one: Any, other: Any) -> None:
    assert same(one, other), f"{json.dumps(one, indent=1)}\n{json.dumps(other, indent=1)}"
