{{/*
One further subscription in the form that Kargo stores it: its webhook's defaults explicit, zero values left out.
Takes a map with one key, image, git or chart, and perhaps a name. Returns YAML, a list with one item.
*/}}
{{- define "kargo-service.subscription" -}}
{{- $name := .name -}}
{{- range $kind, $given := omit . "name" -}}
{{- $subscription := dict "discoveryLimit" 20 -}}
{{- if eq $kind "image" }}{{ $_ := set $subscription "imageSelectionStrategy" "SemVer" }}{{ end -}}
{{- if eq $kind "git" }}{{ $_ := set $subscription "commitSelectionStrategy" "NewestFromBranch" }}{{ end -}}
{{- if ne $kind "chart" }}{{ $_ := set $subscription "strictSemvers" true }}{{ end -}}
{{- range $key, $value := $given -}}
  {{- if or $value (and (has $key (list "strictSemvers" "blobless")) (kindIs "bool" $value)) }}{{ $_ := set $subscription $key $value }}{{ end -}}
{{- end -}}
- {{ $kind }}:
    {{- toYaml $subscription | nindent 4 }}
  {{- with $name }}
  name: {{ toYaml . }}
  {{- end }}
{{- end -}}
{{- end -}}
