"""The kustomize files: a base, a component for each choice that differs from it, and overlays that take one. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from installation.noted import Fields, Noted, Tree, plain
from installation.objects import described
from installation.options import Options, PodSecurity, Profile
from installation.render.groups import grouped
from installation.render.mounts import MOUNTED
from installation.render.patches import operations
from installation.render.yaml_text import yaml_text
from installation.trees import text
from proa import names
from proa.doors import NODE_AGENT_ACCOUNT
from webhook.registration import Trust

_API: Final = "kustomize.config.k8s.io"
_FILE: Final = "kustomization.yaml"
_PATCH: Final = "webhook.yaml"
_DISCOVERY: Final = (
    "The discovery service follows: its Deployment, Service and permissions will stand in discovery.yaml, here."
)


@dataclass(frozen=True, slots=True)
class Component:
    """What makes the base into an installation of *options*, and what an admin should know of it."""

    name: str
    options: Options
    words: str


COMPONENTS: Final = (
    Component("minimal", Options(profile=Profile.MINIMAL), "One replica of everything, for a laptop."),
    Component(
        "ha",
        Options(profile=Profile.HA),
        "Three replicas, never two on a node: the cluster needs three nodes, or some replicas stay pending.",
    ),
    Component(
        "cert-manager",
        Options(trust=Trust.CERT_MANAGER),
        "cert-manager, which must be installed, issues the webhook's serving certificate and writes the caBundle."
        " Workload certificates stay proa-ca's.",
    ),
    Component(
        "istio",
        Options(mesh={"authority": {"istio": {"kind": "grpc"}}}),
        "Istio's own clients, such as istio-agent and ztunnel, are given certificates by Istio's protocol; read"
        " docs/doors.md. proa-ca then serves a port, asks the API server for reviews of tokens and follows all pods.",
    ),
    Component(
        "node",
        Options(mesh={"interception": {"programmedBy": "node"}}),
        "An agent on each node programs pods, which then need no capability and meet the restricted Pod Security"
        " Standard; read docs/node-mode.md. Nodes whose runtime looks for network plugins elsewhere have to say so:"
        " interception.cniConfDir and cniBinDir in mesh.yaml, and the same paths in the DaemonSet.",
    ),
    Component(
        "node-nri",
        Options(mesh={"interception": {"programmedBy": "node", "door": "nri"}}),
        "Node mode with nothing of it on the nodes: containerd tells the agent of pods by NRI, which is on from 2.0 on."
        " Read docs/node-mode.md first: it says what that leaves to proa-init. It takes the component node's place.",
    ),
    Component(
        "workload-api",
        Options(
            mesh={
                "authority": {
                    "istio": {"kind": "grpc", "trustedNodeAccounts": [NODE_AGENT_ACCOUNT]},
                    "workloadApi": {"kind": "node-agent"},
                },
                "interception": {"programmedBy": "node"},
            }
        ),
        "Node mode, and SPIFFE's Workload API by its agent; read docs/workload-api.md. It takes the place of the"
        " components istio and node.",
    ),
    Component(
        "baseline-psa",
        Options(pod_security=PodSecurity.BASELINE),
        "For application namespaces that must keep to the baseline Pod Security Standard. proa-init asks for NET_ADMIN,"
        " which Pod Security forbids at that level and cannot allow to one container, so such a namespace has to be"
        " privileged to it. A policy of Proa's then forbids there what baseline forbids, and allows that capability to"
        " proa-init alone, in our image and without anything of the user's in it. Label the namespace"
        " pod-security.kubernetes.io/enforce=privileged and proa.dev/pod-security=baseline. A namespace that must be"
        " restricted to Pod Security itself cannot have sidecars.",
    ),
)


def files() -> dict[str, str]:
    """The text of each file by its path below `manifests/`."""
    base = described(Options())
    found = {_FILE: _kustomization("What `kubectl apply -k manifests/` installs.", {"resources": ["base"]})}
    groups = grouped(base)
    resources: Tree = [f"{name}.yaml" for name in groups]
    found[f"base/{_FILE}"] = _kustomization(_DISCOVERY, {"resources": resources})
    for name, objects in groups.items():
        found[f"base/{name}.yaml"] = yaml_text(objects)
    for component in COMPONENTS:
        for name, content in _component(component, base):
            found[f"components/{component.name}/{name}"] = content
        found[f"overlays/{component.name}/{_FILE}"] = _kustomization(
            component.words, {"resources": ["../../base"], "components": [f"../../components/{component.name}"]}
        )
    for mounted in MOUNTED:
        patches: Tree = [{"target": {"kind": "Deployment", "name": names.WEBHOOK}, "path": _PATCH}]
        found[f"components/{mounted.name}/{_FILE}"] = _component_text(mounted.words, {"patches": patches})
        found[f"components/{mounted.name}/{_PATCH}"] = yaml_text((mounted.patch,))
    return found


def _kustomization(words: str, fields: Fields) -> str:
    return yaml_text(({"apiVersion": Noted(words, f"{_API}/v1beta1"), "kind": "Kustomization", **fields},))


def _component(component: Component, base: Iterable[Fields]) -> Iterator[tuple[str, str]]:
    before, after = _by_target(base), _by_target(described(component.options))
    added = grouped(after[key] for key in after if key not in before)
    for name, objects in added.items():
        yield f"{name}.yaml", yaml_text(objects)
    patches = [*_removed(before, after), *_changed(before, after)]
    fields: dict[str, Tree] = {"resources": [f"{name}.yaml" for name in added]} if added else {}
    if patches:
        fields["patches"] = patches
    yield _FILE, _component_text(component.words, fields)


def _component_text(words: str, fields: Fields) -> str:
    return yaml_text(({"apiVersion": Noted(words, f"{_API}/v1alpha1"), "kind": "Component", **fields},))


_Target = tuple[str, str, str, str]


def _by_target(objects: Iterable[Fields]) -> dict[_Target, Fields]:
    return {_target(each): each for each in objects}


def _target(each: Fields) -> _Target:
    raw = plain(each)
    group, _, version = text(raw, "apiVersion").rpartition("/")
    return group, version, text(raw, "kind"), text(raw, "metadata", "name")


def _removed(before: Mapping[_Target, Fields], after: Mapping[_Target, Fields]) -> Iterator[Tree]:
    for key in before:
        if key not in after:
            api, metadata = before[key]["apiVersion"], plain(before[key]["metadata"])
            named: Tree = {key: text(metadata, key) for key in ("name", "namespace") if text(metadata, key)}
            deleted: Fields = {"$patch": "delete", "apiVersion": api, "kind": key[2], "metadata": named}
            yield {"patch": yaml_text((deleted,))}


def _changed(before: Mapping[_Target, Fields], after: Mapping[_Target, Fields]) -> Iterator[Tree]:
    for key in before:
        found = list(operations(before[key], after[key])) if key in after else []
        if found:
            yield {"target": _selector(key), "patch": _listing(found)}


def _selector(target: _Target) -> Tree:
    group, version, kind, name = target
    return {**({"group": group} if group else {}), "version": version, "kind": kind, "name": name}


def _listing(found: list[Tree]) -> str:
    return yaml_text((found,))
