"""The Helm chart's templates: read off the objects of every combination of choices. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Final, TypeAlias, cast

from installation.configuration import explained, given
from installation.noted import Fields, plain
from installation.objects import described
from installation.options import DEFAULT_REVISION, MOST_REPLICAS, Options, PodSecurity, Profile, PullPolicy, Scope
from installation.podsecurity import any_dot, repository
from installation.render.groups import group
from installation.render.variants import Axis, Merging, Variant
from installation.render.yaml_text import Template, lines
from installation.trees import text
from proa import names
from proa.documents import as_yaml, node_of
from webhook.registration import Trust

Identity: TypeAlias = tuple[str, str, bool]
"""Of an object in all variants: its kind, its name in the default revision, and whether it is a revision's own."""
Document: TypeAlias = tuple[str, str]
"""The condition under which it is rendered, empty for always, and its text."""

# What stands in the objects for a value that is only known when the chart is rendered.
_REVISION: Final = "revision-of-values"
_IMAGE: Final = "image.of/values:1"
_INIT_IMAGE: Final = "init.image.of/values:1"
_PULL_POLICY: Final = PullPolicy.NEVER
_REPLICAS: Final = MOST_REPLICAS
_MESH: Final = "@mesh@"

_SUFFIX: Final = '{{ include "proa.suffix" . }}'
_NAME: Final = f'{{{{ .Values.revision | default "{DEFAULT_REVISION}" }}}}'
_EXACT: Final = "{{ .Values.revision }}"


_ISTIO: Final = '(dig "authority" "istio" "kind" "none" .Values.mesh)'
_SECRETS: Final = '(dig "authority" "secrets" "kind" "none" .Values.mesh)'
_KEPT: Final = "service-accounts"
"""The authority's doors are settings of the mesh; what they need hangs on those."""


def _axis(name: str, choices: type[StrEnum]) -> Axis:
    return Axis(name, {choice.value: f'eq .Values.{name} "{choice.value}"' for choice in choices})


_AXES: Final = (
    _axis("scope", Scope),
    _axis("profile", Profile),
    _axis("certificates", Trust),
    _axis("podSecurity", PodSecurity),
    Axis("istio", {"none": f'ne {_ISTIO} "grpc"', "grpc": f'eq {_ISTIO} "grpc"'}),
    Axis("secrets", {"none": f'ne {_SECRETS} "{_KEPT}"', _KEPT: f'eq {_SECRETS} "{_KEPT}"'}),
    Axis("revision", {"": "not .Values.revision", _REVISION: ".Values.revision"}),
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
    scope, profile, trust, pod_security, istio, kept, revision = variant
    options = Options(
        revision=revision,
        image=_IMAGE,
        pull_policy=_PULL_POLICY,
        profile=Profile(profile),
        replicas=_REPLICAS,
        trust=Trust(trust),
        pod_security=PodSecurity(pod_security),
        scope=Scope(scope),
        mesh={"init": {"image": _INIT_IMAGE}, "authority": {"istio": {"kind": istio}, "secrets": {"kind": kept}}},
    )
    document = as_yaml((node_of(given(options)),))
    return {_identity(each): cast("Fields", _unset(each, document)) for each in described(options)}


def _unset(template: Template, document: str) -> Template:
    """*template* with the mesh's *document* taken out of the text that it ends."""
    match template:
        case Mapping():
            return {key: _unset(value, document) for key, value in template.items()}
        case str() if template == f"{explained()}{document}":
            return f"{explained()}{_MESH}\n"
        case _:
            return template


def _identity(each: Fields) -> Identity:
    raw = plain(each)
    own = bool(text(raw, "metadata", "labels", names.REVISION))
    return text(raw, "kind"), text(raw, "metadata", "name").replace(f"-{_REVISION}", ""), own


def _text(values: Mapping[Variant, str]) -> str | None:
    """One text for those of the default revision and of a named one."""
    default = {each for variant, each in values.items() if not variant[-1]}
    named = {each for variant, each in values.items() if variant[-1]}
    if len(default) != 1 or len(named) != 1:
        return None
    (plainly,), (with_name,) = default, named
    if with_name == _REVISION and not plainly:
        return _EXACT
    found = {f"-{_REVISION}": ("", _SUFFIX), _REVISION: (DEFAULT_REVISION, _NAME)}
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
        outside = f'ne .Release.Namespace "{names.SYSTEM_NAMESPACE}"'
        condition = f"and ({condition}) ({outside})" if condition else outside
    body = "".join(f"{line}\n" for line in lines(merging.merged(values)))
    return condition, f"---\n{_filled(body)}"


def _guarded(documents: Iterable[Document]) -> Iterator[str]:
    for condition, together in groupby(documents, itemgetter(0)):
        bodies = "".join(body for _, body in together)
        yield f"{{{{- if {condition} }}}}\n{bodies}{{{{- end }}}}\n" if condition else bodies


def _filled(body: str) -> str:
    """*body* with an expression for each value that stood for one."""
    for pattern, expression in _FILLED:
        body = re.sub(pattern, expression, body)
    return body


_FILLED: Final = (
    (rf"(?m)(: |- ){_REVISION}$", r"\1{{ .Values.revision | quote }}"),
    (rf"\[{_REVISION}\]", "[{{ .Values.revision | quote }}]"),
    (_REVISION, "{{ .Values.revision }}"),
    (re.escape(f"image: {_IMAGE}"), "image: {{ .Values.image | quote }}"),
    (re.escape(any_dot(repository(_INIT_IMAGE))), '{{ include "proa.initRepository" . }}'),
    (re.escape(f"imagePullPolicy: {_PULL_POLICY}"), "imagePullPolicy: {{ .Values.pullPolicy }}"),
    (re.escape(f"replicas: {_REPLICAS}"), 'replicas: {{ include "proa.replicas" . }}'),
    (rf"    {_MESH}\n", '    {{- include "proa.mesh" . | nindent 4 }}\n'),
)
