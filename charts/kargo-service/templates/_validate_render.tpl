{{/*
What a stage renders. Takes a dict: path (promotion.render of the stage), stage.
*/}}
{{- define "kargo-service.validate.render" -}}
{{- $render := .stage.promotion.render -}}
{{- if and (kindIs "map" $render.helm) (kindIs "map" $render.kustomize) }}
{{ .path }}: helm and kustomize are mutually exclusive
{{- end }}
{{- if not (get $render $render.kind).path }}
{{ .path }}.{{ $render.kind }}.path: is required; for example {{ ternary "charts/app" "overlays/<stage>" (eq $render.kind "helm") }}
{{- end }}
{{- if eq $render.branch .stage.git.branch }}
{{ .path }}.branch: {{ quote $render.branch }} is the branch of the sources, git.branch; rendered manifests need another one
{{- end }}
{{- if eq $render.kind "helm" }}
{{- include "kargo-service.validate.update" (dict "path" (printf "%s.helm" .path) "in" "setValues" "stage" .stage "update" (dict "kind" "helm" "keys" $render.helm.setValues)) }}
{{- end }}
{{- if and .stage.freight (not (include "kargo-service.rendersFreight" .)) }}
{{ .path }}: renders the same for each Freight; something of it is required: an image, a commit of git.repoURL, updates{{ if eq $render.kind "helm" }}, helm.setValues{{ end }} or a step in steps.beforeCommit
{{- end }}
{{- end -}}

{{/*
Whether what a stage renders depends on its Freight. Takes a dict: root, stage. Returns something, or nothing.
*/}}
{{- define "kargo-service.rendersFreight" -}}
{{- $promotion := .stage.promotion -}}
{{- include "kargo-service.renderedCommit" . -}}
{{- include "kargo-service.writesImage" .stage -}}
{{- if or (include "kargo-service.updates" .stage | fromJson) ($promotion.steps).beforeCommit ($promotion.render.helm).setValues }}true{{ end -}}
{{- end -}}

{{/*
Whether two stages write the same file, or one of them where the other puts its manifests. Takes a dict: writers (a list of dicts
that this one is added to: stage, place, target, isFolder), writer. Returns the first of these writers, as JSON; {} when there is none.
*/}}
{{- define "kargo-service.otherWriter" -}}
{{- $one := .writer -}}
{{- $others := dict -}}
{{- range .writers -}}
  {{- $same := eq .place $one.place -}}
  {{- $inside := or (and .isFolder (hasPrefix .place $one.place)) (and $one.isFolder (hasPrefix $one.place .place)) -}}
  {{- if and (ne .stage $one.stage) (or $same $inside) (not (hasKey $others .stage)) }}{{ $_ := set $others .stage . }}{{ end -}}
{{- end -}}
{{- $first := keys $others | sortAlpha | first -}}
{{- get $others ($first | default "") | default dict | toJson -}}
{{- end -}}
