{{/*
Names and values of labels that become too long when placeholders are replaced: before that, the schema cannot know. kargo-fleet
has the same rule and message in tools/kargo_fleet/unit/lengths.py. Takes the root context.
*/}}
{{- define "kargo-service.validate.lengths" -}}
{{- $values := .Values -}}
{{- range $path, $labels := dict "commonLabels" $values.commonLabels "namespace.labels" ($values.namespace).labels "project.labels" ($values.project).labels "warehouse.labels" ($values.warehouse).labels -}}
  {{- include "kargo-service.validate.length" (list $path $labels 63) -}}
{{- end -}}
{{- range $path, $name := dict "shard" $values.shard "warehouse.name" ($values.warehouse).name "warehouse.shard" ($values.warehouse).shard -}}
  {{- include "kargo-service.validate.length" (list $path $name 63) -}}
{{- end -}}
{{- range $one := omit $values.unit.warehouses "main" -}}
  {{- range $key := list "labels" "name" "shard" }}{{ include "kargo-service.validate.length" (list (printf "%s.%s" $one.path $key) (get $one.given $key) 63) }}{{ end -}}
{{- end -}}
{{- range $values.unit.warehouses -}}
  {{- range .all }}{{ include "kargo-service.validate.length" (list (printf "%s.name" .path) .subscription.name 63) }}{{ end -}}
{{- end -}}
{{- range $values.unit.stages }}{{ include "kargo-service.validate.stageLengths" (dict "shard" $values.shard "stage" .) }}{{ end -}}
{{- range $key, $binding := ($values.rbac).bindings -}}
  {{- range $index, $account := ($binding).serviceAccounts -}}
    {{- $path := printf "rbac.bindings.%s.serviceAccounts[%d]" $key $index -}}
    {{- include "kargo-service.validate.length" (list (printf "%s.name" $path) .name 253) -}}
    {{- include "kargo-service.validate.length" (list (printf "%s.namespace" $path) .namespace 63) -}}
  {{- end -}}
{{- end -}}
{{- range $key, $object := $values.extraObjects -}}
  {{- $path := printf "extraObjects.%s.metadata" $key -}}
  {{- include "kargo-service.validate.length" (list (printf "%s.labels" $path) (($object).metadata).labels 63) -}}
  {{- include "kargo-service.validate.length" (list (printf "%s.name" $path) (($object).metadata).name 253) -}}
{{- end -}}
{{- end -}}

{{/*
The lengths of what a stage has. Takes a dict: shard (of the unit), stage.
*/}}
{{- define "kargo-service.validate.stageLengths" -}}
{{- $stage := .stage -}}
{{- $path := printf "stages.%s" $stage.name -}}
{{- include "kargo-service.validate.length" (list (printf "%s.labels" $path) $stage.labels 63) -}}
{{- if ne ($stage.shard | default "") (.shard | default "") }}{{ include "kargo-service.validate.length" (list (printf "%s.shard" $path) $stage.shard 63) }}{{ end -}}
{{- include "kargo-service.validate.length" (list (printf "%s.verification.analysisRunMetadata.labels" $path) (($stage.verification).analysisRunMetadata).labels 63) -}}
{{- range $index, $template := ($stage.verification).analysisTemplates -}}
  {{- include "kargo-service.validate.length" (list (printf "%s.verification.analysisTemplates[%d].name" $path $index) .name 253) -}}
{{- end -}}
{{- $promotion := $stage.promotion -}}
{{- include "kargo-service.validate.length" (list (printf "%s.promotion.argocdUpdate.name" $path) ($promotion.argocdUpdate).name 253) -}}
{{- include "kargo-service.validate.length" (list (printf "%s.promotion.argocdUpdate.namespace" $path) ($promotion.argocdUpdate).namespace 63) -}}
{{- include "kargo-service.validate.length" (list (printf "%s.promotion.task.name" $path) ($promotion.task).name 253) -}}
{{- if and (eq ($promotion.render.kind | default "") "helm") (include "kargo-service.hasDefaultSteps" $stage) -}}
  {{- include "kargo-service.validate.length" (list (printf "%s.promotion.render.helm.namespace" $path) $promotion.render.helm.namespace 63) -}}
  {{- /* helm-template refuses longer ones, as Helm does. */ -}}
  {{- include "kargo-service.validate.length" (list (printf "%s.promotion.render.helm.releaseName" $path) $promotion.render.helm.releaseName 53) -}}
{{- end -}}
{{- end -}}

{{/*
The length of a text, or of each in a map of texts. Takes a list: path, the text or map (or nothing), how many characters are allowed.
*/}}
{{- define "kargo-service.validate.length" -}}
{{- $path := index . 0 -}}
{{- $given := index . 1 -}}
{{- $most := index . 2 -}}
{{- if kindIs "map" $given }}
{{- range $key, $text := $given }}
{{- include "kargo-service.validate.length" (list (printf "%s.%s" $path $key) $text $most) }}
{{- end }}
{{- else if kindIs "string" $given }}
{{- if gt (len $given) $most }}
{{ $path }}: {{ quote $given }} is {{ len $given }} characters long; at most {{ $most }} are allowed
{{- end }}
{{- end }}
{{- end -}}
