{{/*
The label of a shard, set by hand: Kargo's webhook removes it from an object without spec.shard. Takes the root context.
*/}}
{{- define "kargo-service.validate.shardLabels" -}}
{{- $label := "kargo.akuity.io/shard" -}}
{{- $maps := list (list "commonLabels" .Values.commonLabels) (list "namespace.labels" (.Values.namespace).labels) (list "project.labels" (.Values.project).labels) (list "warehouse.labels" (.Values.warehouse).labels) -}}
{{- range $key, $warehouse := .Values.warehouses }}{{ $maps = append $maps (list (printf "warehouses.%s.labels" $key) ($warehouse).labels) }}{{ end -}}
{{- range $name, $stage := .Values.unit.stages }}{{ $maps = append $maps (list (printf "stages.%s.labels" $name) $stage.labels) }}{{ end -}}
{{- range $maps }}
{{- $shard := get (index . 1 | default dict) $label }}
{{- if $shard }}
{{ index . 0 }}.{{ $label }}: is set by Kargo, which removes it where no shard is set; use shard: {{ $shard }}
{{- end }}
{{- end }}
{{- end -}}
