"""What a pod is given: two containers, their volumes and annotations, for a configuration and a pod's settings. Pure.

Everything is data of Kubernetes' own shape (core/v1), encoded when it is made: a patch then only joins the pieces.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import Final

import msgspec

from proa import names
from proa.containers import Proxy, Resources, SidecarKind
from proa.digest import digest
from proa.json import Json
from proa.mesh import IpFamily, MeshConfiguration
from proa.programming import ByNode, ByPod, Programming
from proa.quantity import amount
from proa.release import VERSION
from proxy.bootstrap import pod_files
from webhook.containers import ADDRESS, from_field, init_container, proxy_container, waiting_container
from webhook.operations import encoded
from webhook.resources import resources
from webhook.status import FORMAT, Status
from webhook.volumes import volumes
from webhook.wishes import ORDINARY, PodSettings

POD_ADDRESS: Final = f"$({ADDRESS})"
"""The pod's address in the arguments of a container with the variable `POD_IP`: the kubelet knows it in time."""
POD_IP: Final = encoded(from_field(ADDRESS, "status.podIP"))
"""The variable, for the sidecars that need it."""
_MOST_THREADS: Final = 256


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Encoded JSON. *annotations* by key, without the status annotation: *status* is what is the same in all."""

    init: msgspec.Raw | None
    proxy: msgspec.Raw
    volumes: tuple[msgspec.Raw, ...]
    annotations: dict[str, msgspec.Raw]
    family: IpFamily
    status: Status
    kind: SidecarKind
    programming: Programming
    settings: PodSettings

    @property
    def fingerprint(self) -> str:
        """Of what the configuration gives a pod: pods with other settings have it too, as they have them of theirs."""
        return self.status.fingerprint


@lru_cache(maxsize=256)
def sidecar(configuration: MeshConfiguration, settings: PodSettings = ORDINARY) -> Sidecar:
    """What a pod with *settings* is given in a mesh of *configuration*: nothing else in it depends on the pod.

    Raises Invalid for requests that are above their limits. Kept for the next pod with the same wishes.
    """
    made = _made(configuration, settings)
    if settings == ORDINARY:
        status = msgspec.structs.replace(made.status, fingerprint=_fingerprint(configuration, made))
    else:
        told = {"fingerprint": sidecar(configuration).fingerprint, "settings": digest(repr(settings).encode())}
        status = msgspec.structs.replace(made.status, **told)
    return replace(made, status=status)


def _made(configuration: MeshConfiguration, settings: PodSettings) -> Sidecar:
    quantities = resources("proxy", configuration.proxy.resources, settings)
    proxy = _configured(configuration.proxy, quantities, settings)
    files = pod_files(msgspec.structs.replace(configuration, proxy=proxy), settings.interception)
    given = volumes(configuration, files)
    annotations = {file.annotation: encoded(_text(file.content)) for file in files}
    in_init = (names.PROXY_CONTAINER,) if proxy.sidecar is SidecarKind.NATIVE else ()
    return Sidecar(
        init=_init(configuration, settings) if settings.intercepts else None,
        proxy=encoded(proxy_container(proxy, quantities, settings, given)),
        volumes=tuple(map(encoded, given.values())),
        annotations=annotations,
        family=configuration.ip_family,
        status=Status(
            version=FORMAT,
            proa=VERSION,
            fingerprint="",
            init_containers=((names.INIT_CONTAINER,) if settings.intercepts else ()) + in_init,
            containers=() if in_init else (names.PROXY_CONTAINER,),
            volumes=tuple(given),
            annotations=(*annotations, names.STATUS),
        ),
        kind=proxy.sidecar,
        programming=configuration.interception,
        settings=settings,
    )


def _init(configuration: MeshConfiguration, settings: PodSettings) -> msgspec.Raw:
    quantities = resources("init", configuration.init.resources, settings)
    match configuration.interception:
        case ByPod():
            return encoded(init_container(configuration.init, quantities, settings.intercepting))
        case ByNode(await_seconds=seconds):
            return encoded(waiting_container(configuration.init, quantities, settings.intercepting, seconds))


def _configured(proxy: Proxy, quantities: Resources, settings: PodSettings) -> Proxy:
    """The configuration's proxy as one pod wants it."""
    return msgspec.structs.replace(
        proxy,
        sidecar=settings.sidecar or proxy.sidecar,
        image=settings.proxy_image or proxy.image,
        concurrency=_concurrency(proxy, quantities, settings),
        log_level=settings.log_level or proxy.log_level,
        log_format=settings.log_format or proxy.log_format,
        access_log=settings.access_log or proxy.access_log,
    )


def _concurrency(proxy: Proxy, quantities: Resources, settings: PodSettings) -> int:
    """A thread for each CPU that the pod lets Envoy use, rounded up (Istio: DetermineConcurrencyOption)."""
    limit = quantities.limits.get("cpu")
    if settings.concurrency is not None:
        return settings.concurrency
    if limit is None or limit == proxy.resources.limits.get("cpu"):
        # An admin who sets the limit for all sets the threads for all.
        return proxy.concurrency
    return min(max(1, ceil(amount(limit))), _MOST_THREADS)


def _text(value: Json) -> str:
    """JSON inside a string: annotations hold nothing else."""
    return msgspec.json.encode(value).decode()


def _fingerprint(configuration: MeshConfiguration, made: Sidecar) -> str:
    # The sections too: of some of their members only a pod with settings of its own is given anything.
    sections = msgspec.json.encode((configuration.proxy, configuration.init), order="sorted")
    return digest(
        b"\0".join((sections, *map(bytes, (made.init or b"", made.proxy, *made.volumes, *made.annotations.values()))))
    )
