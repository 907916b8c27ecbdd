"""The Helm chart's values, each explained, and the JSON schema that refuses wrong ones. Pure."""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

import msgspec

from installation.noted import Fields, Noted
from installation.options import (
    DEFAULT_REVISION,
    IMAGE,
    MOST_REPLICAS,
    Options,
    PodSecurity,
    Profile,
    PullPolicy,
    Scope,
)
from installation.render.yaml_text import yaml_text
from proa import names
from proa.containers import IMAGE_PATTERN
from proa.json import Json
from proa.mesh import MeshConfiguration
from webhook.registration import Trust

_LONGEST_REVISION: Final = 63 - len(f"{names.WEBHOOK}-")
"""Its Service's name is a DNS label."""
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_LOOKAHEAD: Final = re.compile(r"\(\?=\.\{\d+,(\d+)\}\\Z\)")


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the chart: its name, its default, what it means and what is allowed (JSON schema)."""

    name: str
    default: Json
    meaning: str
    allowed: dict[str, Json]


def values_text() -> str:
    """values.yaml."""
    return yaml_text((_defaults(),))


def schema_text() -> str:
    """values.schema.json: no other name than these, so that a misspelled value is an error and not ignored."""
    members: dict[str, Json] = {value.name: {"description": value.meaning, **value.allowed} for value in VALUES}
    # What charts hand to the charts below them.
    members["global"] = {"type": "object"}
    mesh, sections = _mesh()
    members["mesh"] = {"description": _MESH, **mesh}
    schema: Json = {
        "$schema": _DIALECT,
        "title": "Proa",
        "type": "object",
        "additionalProperties": False,
        "properties": members,
        "$defs": sections,
    }
    return f"{json.dumps(schema, indent=2, ensure_ascii=False)}\n"


def _defaults() -> Fields:
    values: Fields = {value.name: Noted(value.meaning, value.default) for value in VALUES}
    return {**values, "mesh": Noted(_MESH, {})}


def _mesh() -> tuple[dict[str, Json], Json]:
    """The schema of mesh.yaml, which the configuration's own types give, and the sections it refers to."""
    (mesh,), sections = msgspec.json.schema_components((MeshConfiguration,), ref_template="#/$defs/{name}")
    return cast("dict[str, Json]", mesh), _portable(cast("Json", sections))


def _portable(schema: Json) -> Json:
    """*schema* with its patterns in the words that Go's regular expressions share with Python's."""
    match schema:
        case dict():
            found = {key: _portable(value) for key, value in schema.items() if key != "title"}
            pattern = found.get("pattern")
            return {**found, **_pattern(pattern)} if isinstance(pattern, str) else found
        case list():
            return [_portable(each) for each in schema]
        case _:
            return schema


def _pattern(pattern: str) -> dict[str, Json]:
    written: dict[str, Json] = {"pattern": _LOOKAHEAD.sub("", pattern).replace(r"\Z", "$")}
    bound = _LOOKAHEAD.search(pattern)
    return {**written, "maxLength": int(bound[1])} if bound else written


def _choice(kind: type[StrEnum]) -> dict[str, Json]:
    return {"enum": [choice.value for choice in kind]}


_MESH: Final = "What differs from the mesh's defaults: mesh.yaml of the ConfigMap, which lists every setting."
_STANDARD: Final = Options()
VALUES: Final = (
    Value(
        "revision",
        _STANDARD.revision,
        "Empty for the default revision. Another one injects the namespaces whose label proa.dev/rev names it, and is"
        " installed beside the first with scope: revision.",
        {
            "type": "string",
            "pattern": "^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$",
            "maxLength": _LONGEST_REVISION,
            "not": {"const": DEFAULT_REVISION},
        },
    ),
    Value(
        "scope",
        _STANDARD.scope.value,
        "all; shared: only what all revisions share, such as the authority; revision: only what is this one's own.",
        _choice(Scope),
    ),
    Value(
        "profile",
        _STANDARD.profile.value,
        "minimal: one replica, for a laptop; default: two, on two nodes where there are two; ha: three, never two on a"
        " node, spread over zones.",
        _choice(Profile),
    ),
    Value(
        "replicas",
        _STANDARD.replicas,
        "Of each Deployment; null for as many as the profile has.",
        {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_REPLICAS},
    ),
    Value(
        "image",
        IMAGE,
        "Of Proa's processes, and of the init container that pods are given.",
        {"type": "string", "pattern": f"^{IMAGE_PATTERN}$"},
    ),
    Value("pullPolicy", _STANDARD.pull_policy.value, "Of that image.", _choice(PullPolicy)),
    Value(
        "certificates",
        _STANDARD.trust.value,
        "Who issues the webhook's serving certificate and writes the registration's caBundle: proa, or cert-manager,"
        " which must be installed.",
        _choice(Trust),
    ),
    Value(
        "podSecurity",
        _STANDARD.pod_security.value,
        "baseline: a policy holds the namespaces labelled proa.dev/pod-security=baseline to that standard, with the one"
        " exception that proa-init needs. Pod Security itself knows no such exception.",
        _choice(PodSecurity),
    ),
)
