"""What a Helm chart has beside its objects: Chart.yaml, named templates, notes after an installation. Pure."""

from typing import Final

from installation.options import REPLICAS
from installation.preflight import LEAST_KUBERNETES
from installation.render.yaml_text import yaml_text
from proa import names
from proa.release import VERSION


def chart_text() -> str:
    """Chart.yaml."""
    return yaml_text(
        (
            {
                "apiVersion": "v2",
                "name": "proa",
                "description": "A sidecar injector and a workload certificate authority, with stock Envoy",
                "type": "application",
                "version": VERSION,
                "appVersion": VERSION,
                "kubeVersion": f">={LEAST_KUBERNETES}.0-0",
            },
        )
    )


_CHOSEN: Final = f"{names.REVISION}={{{{ . }}}}"
_REPLICAS: Final = " ".join(f'"{profile.value}" {count}' for profile, count in REPLICAS.items())

_UNRENDERED: Final = (
    "mesh.injection and mesh.vocabulary change the webhook's registration, which a chart cannot make: use"
    " `proa install --set-config FILE`, or apply what `proa render --set-config FILE` prints (docs/installing.md)"
)

HELPERS: Final = f"""{{{{- /* What the names of a revision's own objects end in; every rendering asks. */ -}}}}
{{{{- define "proa.suffix" -}}}}
{{{{- if or (dig "injection" dict .Values.mesh) (ne "proa" (dig "vocabulary" "proa" .Values.mesh)) }}}}
{{{{- fail "{_UNRENDERED}" }}}}
{{{{- end }}}}
{{{{- with .Values.revision }}}}-{{{{ . }}}}{{{{ end -}}}}
{{{{- end -}}}}

{{{{- define "proa.replicas" -}}}}
{{{{- .Values.replicas | default (get (dict {_REPLICAS}) .Values.profile) | int -}}}}
{{{{- end -}}}}

{{{{- /* Pods are given the image that Proa's own processes run, unless the mesh names another. */ -}}}}
{{{{- define "proa.mesh" -}}}}
{{{{- mergeOverwrite (dict "init" (dict "image" .Values.image)) (deepCopy .Values.mesh) | toYaml -}}}}
{{{{- end -}}}}

{{{{- /* Its image without tag and digest, as a regular expression. */ -}}}}
{{{{- define "proa.initRepository" -}}}}
{{{{- $image := dig "init" "image" .Values.image .Values.mesh -}}}}
{{{{- regexReplaceAll ":[^:/]*$" (regexReplaceAll "@.*$" $image "") "" | replace "." "[.]" -}}}}
{{{{- end -}}}}
"""

NOTES: Final = f"""Proa {{{{ .Chart.AppVersion }}}} is in {names.SYSTEM_NAMESPACE}.
{{{{- if and (eq .Release.Namespace "{names.SYSTEM_NAMESPACE}") (ne .Values.scope "revision") }}}}

This release lies in {names.SYSTEM_NAMESPACE} itself, which so is not the chart's. Let it enforce what Proa keeps:

  kubectl label namespace {names.SYSTEM_NAMESPACE} --overwrite \\
    pod-security.kubernetes.io/enforce=restricted {names.INJECT}=disabled
{{{{- end }}}}

To inject a namespace:

  kubectl label namespace NAME {names.INJECT}=enabled{{{{ with .Values.revision }}}} {_CHOSEN}{{{{ end }}}}
"""
