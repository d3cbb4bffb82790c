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
kargo-{{ include "kargo-service.name" . }}
{{- end -}}

{{/*
The Warehouse's name. Takes the root context.
*/}}
{{- define "kargo-service.warehouse" -}}
{{- (.Values.warehouse).name | default (include "kargo-service.name" .) -}}
{{- end -}}

{{/*
A pattern with <service> and <stage> filled in. Takes a dict: root, stage, text.
*/}}
{{- define "kargo-service.expand" -}}
{{- .text | replace "<service>" (include "kargo-service.name" .root) | replace "<stage>" .stage -}}
{{- end -}}
