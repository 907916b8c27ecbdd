{{- /* What the names of a revision's own objects end in; every rendering asks. */ -}}
{{- define "proa.suffix" -}}
{{- if or (dig "injection" dict .Values.mesh) (ne "proa" (dig "vocabulary" "proa" .Values.mesh)) }}
{{- fail "mesh.injection and mesh.vocabulary change the webhook's registration, which a chart cannot make: use `proa install --set-config FILE`, or apply what `proa render --set-config FILE` prints (docs/installing.md)" }}
{{- end }}
{{- with .Values.revision }}-{{ . }}{{ end -}}
{{- end -}}

{{- define "proa.replicas" -}}
{{- .Values.replicas | default (get (dict "minimal" 1 "default" 2 "ha" 3) .Values.profile) | int -}}
{{- end -}}

{{- /* Pods are given the image that Proa's own processes run, unless the mesh names another. */ -}}
{{- define "proa.mesh" -}}
{{- mergeOverwrite (dict "init" (dict "image" .Values.image)) (deepCopy .Values.mesh) | toYaml -}}
{{- end -}}

{{- /* Its image without tag and digest, as a regular expression. */ -}}
{{- define "proa.initRepository" -}}
{{- $image := dig "init" "image" .Values.image .Values.mesh -}}
{{- regexReplaceAll ":[^:/]*$" (regexReplaceAll "@.*$" $image "") "" | replace "." "[.]" -}}
{{- end -}}
