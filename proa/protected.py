"""What is laid over Proa's own containers, checked: they keep what identity and interception rest on. Pure.

An admin's template and a user's own container of that name are held to the same, but for `author_problems`.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from proa import names
from proa.errors import Invalid, shown
from proa.json import Json
from proa.overlay import DELETE, DELETE_ITEMS, PATCH, REPLACE, RETAIN_KEYS
from proa.trees import same

OWN: Final = (names.INIT_CONTAINER, names.PROXY_CONTAINER)
VOLUMES: Final = (names.IDENTITY_VOLUME, names.BOOTSTRAP_VOLUME, names.DISCOVERY_VOLUME)
_OURS: Final = "nothing: it is Proa's own"
AUTO: Final = "auto"
"""The image of a user's own container that says: the one that Proa would take."""
IDS: Final = {
    names.PROXY_CONTAINER: {"runAsUser": names.PROXY_UID, "runAsGroup": names.PROXY_GID},
    names.INIT_CONTAINER: {"runAsUser": 0, "runAsNonRoot": False},
}
"""The proxy's packets are told from the app's by its ids; interception is programmed by root."""
_FIXED: Final = ("command", "args", "restartPolicy", "stdin", "tty", RETAIN_KEYS)
_VARIABLES: Final = ("POD_NAME", "POD_NAMESPACE", "SERVICE_ACCOUNT", "POD_IP")
"""Envoy's identity towards discovery is made of them."""
_NET_ADMIN: Final = "NET_ADMIN"
TRANSPARENCY: Final = "NET_RAW"
"""The capability by which the proxy speaks from its client's address."""
_DIRECTORIES: Final = (names.IDENTITY_DIRECTORY, names.BOOTSTRAP_DIRECTORY, names.DISCOVERY_DIRECTORY)
_TYPES: Final[Mapping[str, tuple[type, str]]] = {
    **dict.fromkeys(("image", "imagePullPolicy", "workingDir", "restartPolicy"), (str, "text")),
    **dict.fromkeys(("command", "args", "env", "envFrom", "ports", "volumeMounts", "volumeDevices"), (list, "a list")),
    **dict.fromkeys(("resources", "securityContext", "lifecycle"), (dict, "a mapping")),
    **dict.fromkeys(("livenessProbe", "readinessProbe", "startupProbe"), (dict, "a mapping")),
    **dict.fromkeys(("stdin", "tty"), (bool, "true or false")),
}


def container_problems(partial: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    """What keeps *partial* from being laid over one of Proa's own containers, or over another; *field* is its path."""
    yield from _type_problems(partial, field)
    if partial.get("name") in OWN:
        yield from _own_problems(str(partial["name"]), partial, field)


_OF_AN_INIT: Final = ("name", "image", "imagePullPolicy", "resources", "terminationMessagePolicy")
_DEFAULTS_OF_AN_INIT: Final = {"image": AUTO, "terminationMessagePath": "/dev/termination-log"}
"""Of these nothing else: a file over one of the image's programs, for instance."""
_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


def author_problems(partial: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    """What the author of a pod may not say of `proa-init`, an admin's template may: whether traffic is intercepted."""
    if partial.get("name") != names.INIT_CONTAINER:
        return
    allowed = f"image: {AUTO} and resources: a pod's author does not program its interception"
    for key, value in partial.items():
        known = key in (*_OF_AN_INIT, *_FIXED, "volumeMounts")
        if value != _DEFAULTS_OF_AN_INIT.get(key, value if known else None):
            yield Invalid(f"{field}.{key}", shown(value), allowed)
    for index, mount in enumerate(mappings(partial.get("volumeMounts"))):
        # The API server has given it to every container, before anybody was asked.
        if mount.get("mountPath") != _ACCOUNT:
            yield Invalid(f"{field}.volumeMounts[{index}].mountPath", shown(mount.get("mountPath")), allowed)


def _type_problems(partial: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    for key, (kind, words) in _TYPES.items():
        value = partial.get(key)
        if value is not None and type(value) is not kind:
            yield Invalid(f"{field}.{key}", shown(value), words)
        elif isinstance(value, list) and key in ("command", "args"):
            for index, each in enumerate(cast("list[Json]", value)):
                if not isinstance(each, str):
                    yield Invalid(f"{field}.{key}[{index}]", shown(each), "text")


def _own_problems(name: str, partial: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    """What Proa's containers cannot do without stays; everything else of them may be said anew."""
    if PATCH in partial and not (name == names.INIT_CONTAINER and partial[PATCH] == DELETE):
        yield Invalid(f"{field}.{PATCH}", shown(partial[PATCH]), f"{DELETE}, of {names.INIT_CONTAINER} alone")
    for key in partial:
        if key in _FIXED or key.startswith(DELETE_ITEMS):
            yield Invalid(f"{field}.{key}", shown(partial[key]), _OURS)
    if "image" in partial and not partial["image"]:
        yield Invalid(f"{field}.image", shown(partial["image"]), f"an image, or {AUTO} for Proa's")
    for key in ("env", "volumeMounts", "ports", "securityContext"):
        if (key in partial and partial[key] is None) or _replaces(partial.get(key)):
            yield Invalid(f"{field}.{key}", f"what leaves nothing of Proa's {key}", "additions, and single changes")
    yield from _own_context_problems(name, partial.get("securityContext"), f"{field}.securityContext")
    yield from _own_item_problems(name, partial, field)


def _own_item_problems(name: str, partial: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    for index, variable in enumerate(mappings(partial.get("env"))):
        if name == names.PROXY_CONTAINER and variable.get("name") in _VARIABLES:
            yield Invalid(f"{field}.env[{index}].name", shown(variable["name"]), f"any but {', '.join(_VARIABLES)}")
    for index, mount in enumerate(mappings(partial.get("volumeMounts"))):
        yield from _own_mount_problems(mount, f"{field}.volumeMounts[{index}]")
    for index, port in enumerate(mappings(partial.get("ports"))):
        if port.get("containerPort") == names.METRICS_PORT:
            yield Invalid(f"{field}.ports[{index}].containerPort", str(names.METRICS_PORT), _OURS)


def _own_context_problems(name: str, context: Json, field: str) -> Iterator[Invalid]:
    if not isinstance(context, dict):
        return
    for key, value in IDS[name].items():
        if key in context and not same(context[key], value):
            yield Invalid(f"{field}.{key}", shown(context[key]), f"{shown(value)}: interception rests on it")
    if name == names.INIT_CONTAINER:
        yield from _capability_problems(_NET_ADMIN, context, field)


def transparency_problems(partial: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    """What in *partial*, laid over the proxy, keeps it from speaking from its client's address: only root can."""
    context: Json = partial.get("securityContext")
    if not isinstance(context, dict):
        return
    for key, value in (("runAsUser", 0), ("runAsNonRoot", False)):
        if key in context and not same(context[key], value):
            yield Invalid(f"{field}.securityContext.{key}", shown(context[key]), f"{shown(value)}, by inbound-mode")
    yield from _capability_problems(TRANSPARENCY, context, f"{field}.securityContext")


def _capability_problems(needed: str, context: Mapping[str, Json], field: str) -> Iterator[Invalid]:
    capabilities = context.get("capabilities", {})
    if not _keeps(needed, capabilities):
        yield Invalid(f"{field}.capabilities", shown(capabilities), f"{needed} among those added, and no directive")


def _keeps(needed: str, capabilities: Json) -> bool:
    """Whether a container has it with these laid over its own. A runtime adds first, and drops then, but for `ALL`."""
    if not isinstance(capabilities, dict) or any(key.startswith("$") for key in capabilities):
        return False
    added, dropped = capabilities.get("add", [needed]), capabilities.get("drop") or []
    return isinstance(added, list) and isinstance(dropped, list) and needed in added and needed not in dropped


def _own_mount_problems(mount: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    if mount.get("name") in VOLUMES:
        yield Invalid(f"{field}.name", shown(mount["name"]), _OURS)
    path = mount.get("mountPath")
    if not isinstance(path, str):
        return
    real = posixpath.normpath(f"/{path}").replace("//", "/")
    # In Envoy's image /var/run is a link to /run.
    real = f"/var{real}" if real.startswith("/run/") else real
    for directory in _DIRECTORIES:
        if f"{real}/".startswith(f"{directory}/"):
            yield Invalid(f"{field}.mountPath", shown(path), f"a path outside {directory}")


def _replaces(value: Json) -> bool:
    """Whether a directive leaves nothing of what was there: an item of a list may go, a mapping may not."""
    if isinstance(value, dict):
        return PATCH in value or RETAIN_KEYS in value
    items = value if isinstance(value, list) else []
    return any(isinstance(item, dict) and (item.get(PATCH) == REPLACE or RETAIN_KEYS in item) for item in items)


def mappings(items: Json) -> list[dict[str, Json]]:
    """The *items* of a list; what is none is told elsewhere, and stands for nothing here."""
    return [item if isinstance(item, dict) else {} for item in items] if isinstance(items, list) else []
