{{/*
The Project's name, which is the namespace's too, unless the service's name is wrong already. Takes the root context.
*/}}
{{- define "kargo-service.validate.project" -}}
{{- $name := include "kargo-service.project" . -}}
{{- if include "kargo-service.validate.service" . }}
{{- else if or (gt (len $name) 63) (not (regexMatch `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$` $name)) }}
project.name: {{ quote $name }} is not a DNS label of at most 63 characters (a-z, 0-9 and -), as names of namespaces are
{{- else if or (has $name (list "default" "kargo" "kargo-cluster-secrets" "kargo-shared-resources" "kargo-system-resources")) (hasPrefix "kube-" $name) }}
project.name: {{ quote $name }} is reserved; it is a namespace of Kargo or Kubernetes
{{- end }}
{{- end -}}
