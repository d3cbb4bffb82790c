{{/*
What Kargo's webhooks refuse of names and URLs. kargo-fleet has the same rules and messages in
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
{{- end -}}
