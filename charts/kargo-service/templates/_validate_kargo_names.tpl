{{/*
What Kargo refuses of names and texts. kargo-fleet has the same rules and messages in
tools/kargo_fleet/unit/kargo_names.py. Takes the root context.
*/}}
{{- define "kargo-service.validate.kargoNames" -}}
{{- $names := dict -}}
{{- range $index, $receiver := (.Values.projectConfig).webhookReceivers }}
{{- if hasKey $names .name }}
projectConfig.webhookReceivers[{{ $index }}].name: {{ quote .name }} is the name of another receiver
{{- end }}
{{- $_ := set $names .name true }}
{{- end }}
{{- /* gitURLRegex of pkg/subscription/git.go: no IPv6 addresses, no - in the first part of an SSH host. */}}
{{- $gitURL := `^(ssh|https?)://(([\w-]+)(:(.+))?@)?([\w-]+(\.[\w-]+)*)(:(\d{1,5}))?(/.*)$|^([\w-]+)@([\w+]+(\.[\w-]+)*):(/?.*)$` }}
{{- range .Values.unit.warehouses }}
{{- range .all }}
{{- $path := ternary .path (printf "%s.git" .path) (not (hasSuffix "]" .path)) }}
{{- with (.subscription.git).repoURL }}
{{- if not (regexMatch $gitURL .) }}
{{ $path }}.repoURL: {{ quote . }} is not a Git URL that Kargo subscribes to: https://, and a host name
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $stage := .Values.unit.stages }}
{{- if include "kargo-service.hasDefaultSteps" $stage }}
{{- range list (list "message" $stage.promotion.message) (list "pullRequest.title" ($stage.promotion.pullRequest).title) }}
{{- if contains "${{" (regexReplaceAll `(?s)\$\{\{.*?\}\}` (index . 1 | default "") "") }}
stages.{{ $name }}.promotion.{{ index . 0 }}: has an expression that does not end: {{ "${{" }} without {{ "}}" }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
