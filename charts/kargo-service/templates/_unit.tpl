{{/*
The unit that these values describe, computed once for all templates: each template begins with an include of it. It replaces
<service> in all of .Values, drops what is null in its maps, and adds .Values.unit, a map:

  warehouses  the Warehouses by key, the first as main, see kargo-service.warehouses
  stages      the stages by name, see kargo-service.stages

Takes the root context; returns nothing.
*/}}
{{- define "kargo-service.init" -}}
{{- if not (hasKey .Values "unit") -}}
  {{- $filled := include "kargo-service.filled" (dict "value" .Values "word" "service" "with" (include "kargo-service.name" .)) | fromJson -}}
  {{- /* The chart's default `replace: null` is the only null that nearly all services have. */ -}}
  {{- if toJson $filled | replace `"replace":null` "" | contains ":null" }}{{ include "kargo-service.dropNulls" $filled }}{{ end -}}
  {{- range $key, $value := $filled }}{{ $_ := set $.Values $key $value }}{{ end -}}
  {{- $_ := set .Values "unit" (dict "warehouses" (include "kargo-service.warehouses" . | fromJson)) -}}
  {{- $_ := set .Values.unit "stages" (include "kargo-service.stages" . | fromJson) -}}
{{- end -}}
{{- end -}}

{{/*
Removes what is null from a map and from the maps in it. Helm removes only nulls of keys that the chart's values.yaml has; a stage's
`branch: null` would else replace the branch of all stages. Lists stay as they are. Takes the map; returns nothing.
*/}}
{{- define "kargo-service.dropNulls" -}}
{{- $map := . -}}
{{- range $key, $value := $map -}}
  {{- if kindIs "invalid" $value }}{{ $_ := unset $map $key }}{{ else if kindIs "map" $value }}{{ include "kargo-service.dropNulls" $value }}{{ end -}}
{{- end -}}
{{- end -}}

{{/*
A value with a placeholder replaced in all strings that are in it: `<service>` becomes the service's name, `\<service>` becomes
`<service>`. Takes a dict: value, word, with (letters, digits and -). Returns JSON.
*/}}
{{- define "kargo-service.filled" -}}
{{- /* toJson writes < and > as escapes, so that those that are written plainly are no placeholders any more. */ -}}
{{- $word := printf `\u003c%s\u003e` .word -}}
{{- $kept := printf `<%s>` .word -}}
{{- /* Named groups of regular expressions are none, either. */ -}}
{{- toJson .value | replace (printf `\\%s` $word) $kept | replace (printf `?P%s` $word) (printf `?P%s` $kept) | replace (printf `(?%s` $word) (printf `(?%s` $kept) | replace $word .with -}}
{{- end -}}

{{/*
The service's name. Takes the root context.
*/}}
{{- define "kargo-service.name" -}}
{{- (.Values.service).name | default .Release.Name -}}
{{- end -}}

{{/*
The Project's name, which is the namespace's name too: Kargo knows only one. Takes the root context.
*/}}
{{- define "kargo-service.project" -}}
{{- (.Values.project).name | default (printf "kargo-%s" (include "kargo-service.name" .)) -}}
{{- end -}}
