"""The Helm chart's templates: read off the objects of every combination of choices. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cache, reduce
from itertools import groupby
from operator import itemgetter
from typing import Final, TypeAlias, cast

from installation.configuration import explained, given
from installation.noted import Fields, plain
from installation.objects import described
from installation.options import DEFAULT_REVISION, Options, PodSecurity, Profile, Scope
from installation.render import placeholders
from installation.render.groups import group
from installation.render.variants import UNTOLD, Axis, Merging, Variant
from installation.render.yaml_text import Template, lines
from installation.trees import text
from proa import names
from proa.documents import as_yaml, node_of
from proa.doors import NODE_AGENT_ACCOUNT
from proa.json import Json
from proa.programming import Door
from webhook.registration import Trust

Identity: TypeAlias = tuple[str, str, bool]
"""Of an object in all variants: its kind, its name in the default revision, and whether it is a revision's own."""
Document: TypeAlias = tuple[str, str]
"""The condition under which it is rendered, empty for always, and its text."""

_SUFFIX: Final = '{{ include "proa.suffix" . }}'
_NAME: Final = f'{{{{ .Values.revision | default "{DEFAULT_REVISION}" }}}}'
_EXACT: Final = "{{ .Values.revision }}"


_ADDITIONS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "tokens": (("authority", "workloadApi", "tokens", "kind"), "jwt-svids"),
    "workload-api": (("authority", "workloadApi", "kind"), "node-agent"),
    "istio": (("authority", "istio", "kind"), "grpc"),
    "secrets": (("authority", "secrets", "kind"), "service-accounts"),
    "roots": (("authority", "roots", "kind"), "config-maps"),
    "requests": (("authority", "requests", "kind"), "certificate-signing-requests"),
    "upstream": (("authority", "upstream", "kind"), "cert-manager"),
    "vault-secret": (("authority", "upstream", "ca", "kind"), "secret"),
    "vault-system": (("authority", "upstream", "ca", "kind"), "system"),
    "vault": (("authority", "upstream", "kind"), "vault"),
    "node": (("interception", "programmedBy"), "node"),
}
"""What the mesh may want beside the rest, by the setting that asks for it: the authority's doors, who signs for it, the
node's agent. None needs anything on account of another one, so each is looked at alone: together they would be many
objects. But JWT-SVIDs are never without the Workload API, nor that without the agent and Istio's protocol, nor a CA of
Vault's without Vault, and so they come first: of the conditions in a template the first that holds counts."""
_OF_WORKLOADS: Final[Mapping[str, Json]] = {
    "tokens": {"kind": "node-agent", "tokens": {"kind": "jwt-svids"}},
    "workload-api": {"kind": "node-agent"},
}
_OF_VAULT: Final[Mapping[str, Json]] = {
    "vault": {"kind": "config-map", "name": placeholders.VAULT_CA},
    "vault-secret": {"kind": "secret", "name": placeholders.VAULT_CA},
    "vault-system": {"kind": "system"},
}
_BY_NRI: Final = {f"nri-{name}": name for name in ("tokens", "workload-api", "node")}
"""The same with another door to the agent, and so before them."""
_NOTHING: Final = ""


def _wanted(path: tuple[str, ...], value: str) -> str:
    keys = " ".join(f'"{key}"' for key in path)
    return f'eq (dig {keys} "" .Values.mesh) "{value}"'


def _additions() -> Iterator[tuple[str, str]]:
    """With the condition of each, in order."""
    yield _NOTHING, UNTOLD
    by_nri = _wanted(("interception", "door"), Door.NRI)
    for name, beside in _BY_NRI.items():
        yield name, f"and ({by_nri}) ({_wanted(*_ADDITIONS[beside])})"
    for name, asked in _ADDITIONS.items():
        yield name, _wanted(*asked)


def _mesh(addition: str) -> Mapping[str, Json]:
    """The document that asks for *addition*."""
    if addition in _BY_NRI:
        return {**_mesh(_BY_NRI[addition]), "interception": {"programmedBy": "node", "door": Door.NRI.value}}
    made: dict[str, Json] = {"init": {"image": placeholders.INIT_IMAGE}}
    if addition:
        (section, *path), value = _ADDITIONS[addition]
        made[section] = reduce(lambda inner, key: {key: inner}, reversed(path), cast("Json", value))
    if addition in _OF_WORKLOADS:
        istio: Json = {
            "kind": "grpc",
            "audiences": [placeholders.AUDIENCE],
            "trustedNodeAccounts": [NODE_AGENT_ACCOUNT],
        }
        made |= {
            "trustDomain": placeholders.TRUST_DOMAIN,
            "authority": {"istio": istio, "workloadApi": _OF_WORKLOADS[addition]},
        }
    if addition in _OF_VAULT:
        vault: Json = {
            "kind": "vault",
            "server": f"https://vault.of-values:{placeholders.VAULT_PORT}",
            "ca": _OF_VAULT[addition],
            "auth": {"audience": placeholders.VAULT_AUDIENCE},
        }
        made["authority"] = {"upstream": vault}
    if addition in {"node", *_OF_WORKLOADS}:
        made["interception"] = {
            "programmedBy": "node",
            "cniConfDir": placeholders.CNI_CONF_DIR,
            "cniBinDir": placeholders.CNI_BIN_DIR,
        }
    return made


def _axis(name: str, choices: type[StrEnum]) -> Axis:
    return Axis(name, {choice.value: f'eq .Values.{name} "{choice.value}"' for choice in choices})


_AXES: Final = (
    _axis("scope", Scope),
    _axis("profile", Profile),
    _axis("certificates", Trust),
    _axis("podSecurity", PodSecurity),
    Axis("addition", dict(_additions()), _BY_NRI),
    Axis("revision", {"": "not .Values.revision", placeholders.REVISION: ".Values.revision"}),
)


@cache
def templates() -> Mapping[str, str]:
    """The text of each template by its file's name. It takes seconds, and is made once."""
    variants = {variant: _objects(variant) for variant in Merging(_AXES, _text).variants()}
    files: dict[str, list[Document]] = {}
    for identity in dict.fromkeys(identity for each in variants.values() for identity in each):
        values = {variant: each[identity] for variant, each in variants.items() if identity in each}
        files.setdefault(group(next(iter(values.values()))), []).append(_document(values, variants))
    return {f"{name}.yaml": "".join(_guarded(documents)) for name, documents in files.items()}


def _objects(variant: Variant) -> dict[Identity, Fields]:
    scope, profile, trust, pod_security, addition, revision = variant
    options = Options(
        revision=revision,
        image=placeholders.IMAGE,
        pull_policy=placeholders.PULL_POLICY,
        profile=Profile(profile),
        replicas=placeholders.REPLICAS,
        trust=Trust(trust),
        pod_security=PodSecurity(pod_security),
        scope=Scope(scope),
        mesh=_mesh(addition),
    )
    document = as_yaml((node_of(given(options)),))
    return {_identity(each): cast("Fields", _unset(each, document)) for each in described(options)}


def _unset(template: Template, document: str) -> Template:
    """*template* with the mesh's *document* taken out of the text that it ends."""
    match template:
        case Mapping():
            return {key: _unset(value, document) for key, value in template.items()}
        case str() if template == f"{explained()}{document}":
            return f"{explained()}{placeholders.MESH}\n"
        case _:
            return template


def _identity(each: Fields) -> Identity:
    raw = plain(each)
    own = bool(text(raw, "metadata", "labels", names.REVISION))
    return text(raw, "kind"), text(raw, "metadata", "name").replace(f"-{placeholders.REVISION}", ""), own


def _text(values: Mapping[Variant, str]) -> str | None:
    """One text for those of the default revision and of a named one."""
    default = {each for variant, each in values.items() if not variant[-1]}
    named = {each for variant, each in values.items() if variant[-1]}
    if len(default) != 1 or len(named) != 1:
        return None
    (plainly,), (with_name,) = default, named
    if with_name == placeholders.REVISION and not plainly:
        return _EXACT
    found = {f"-{placeholders.REVISION}": ("", _SUFFIX), placeholders.REVISION: (DEFAULT_REVISION, _NAME)}
    for part, (without, expression) in found.items():
        if with_name.replace(part, without) == plainly:
            return with_name.replace(part, expression)
    return None


def _document(values: Mapping[Variant, Fields], variants: Mapping[Variant, object]) -> Document:
    merging = Merging(_AXES, _text)
    condition = merging.presence(values, variants)
    kind = str(next(iter(values.values()))["kind"])
    if kind == "Namespace":
        # A release that lies in it has made it already, and Helm makes nothing twice.
        name = text(plain(next(iter(values.values()))), "metadata", "name")
        outside = f'ne .Release.Namespace "{name}"'
        condition = f"and ({condition}) ({outside})" if condition else outside
    body = "".join(f"{line}\n" for line in lines(merging.merged(values)))
    return condition, f"---\n{placeholders.filled(body)}"


def _guarded(documents: Iterable[Document]) -> Iterator[str]:
    for condition, together in groupby(documents, itemgetter(0)):
        bodies = "".join(body for _, body in together)
        yield f"{{{{- if {condition} }}}}\n{bodies}{{{{- end }}}}\n" if condition else bodies
