{{/*
The dependency of a chart that one of promotion.updates sets. Without a name and a repository it is the chart that the stage's
Warehouses subscribe to: Chart.yaml has its repository, of which an oci:// URL of a subscription also has the chart's name. Takes a
dict: stage, update. Returns YAML, a map.
*/}}
{{- define "kargo-service.helmDependency" -}}
{{- $repoURL := (.stage.chart).repoURL | default "" -}}
{{- $name := (.stage.chart).name -}}
{{- if hasPrefix "oci://" $repoURL }}
  {{- $name = base $repoURL -}}
  {{- $repoURL = trimSuffix (printf "/%s" $name) $repoURL -}}
{{- end -}}
charts:
  - repository: {{ .update.repository | default $repoURL | quote }}
    name: {{ .update.name | default $name | quote }}
    version: {{ include "kargo-service.written" (dict "stage" .stage "what" (.update.version | default "chartVersion")) }}
{{- end -}}

{{/*
Whether a dependency says what it needs. Takes a dict: path, stage, update.
*/}}
{{- define "kargo-service.validate.helmDependency" -}}
{{- if and .update.version (not .stage.chart) }}
{{- range $key := list "name" "repository" }}
{{- if not (get $.update $key) }}
{{ $.path }}.{{ $key }}: is required, as the stage's Warehouses do not subscribe to exactly one chart
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
