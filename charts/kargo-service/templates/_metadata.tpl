{{/*
The labels of an object. Takes a dict: root, and optionally extra (labels; null means no change) and shard (a name).
Returns YAML, a map. Neither the chart's version nor the release's revision is among them: they would change every object
of every service at each release of the chart.
*/}}
{{- define "kargo-service.labels" -}}
{{- $labels := dict
      "app.kubernetes.io/name" "kargo-service"
      "app.kubernetes.io/instance" (include "kargo-service.name" .root)
      "app.kubernetes.io/part-of" "kargo-fleet"
      "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- range $more := list .root.Values.commonLabels .extra -}}
  {{- range $key, $value := $more }}{{ if not (kindIs "invalid" $value) }}{{ $_ := set $labels $key $value }}{{ end }}{{ end -}}
{{- end }}
{{- with .shard }}{{ $_ := set $labels "kargo.akuity.io/shard" . }}{{ end }}
{{- toYaml $labels -}}
{{- end -}}

{{/*
The annotations of an object. Takes a dict: root, and optionally extra (annotations; null means no change), own
(annotations that the chart sets itself; they win) and wave (an Argo CD sync wave). Returns YAML, a map; nothing when there
are none.
*/}}
{{- define "kargo-service.annotations" -}}
{{- $annotations := dict -}}
{{- range $more := list .root.Values.commonAnnotations .extra .own -}}
  {{- range $key, $value := $more }}{{ if not (kindIs "invalid" $value) }}{{ $_ := set $annotations $key $value }}{{ end }}{{ end -}}
{{- end -}}
{{- if and .wave (ne .root.Values.syncWaves false) }}{{ $_ := set $annotations "argocd.argoproj.io/sync-wave" .wave }}{{ end -}}
{{- with $annotations }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/*
The annotations that keep Namespace and Project. Takes the root context. Returns JSON, a map.
*/}}
{{- define "kargo-service.deletionProtection" -}}
{{- $protection := .Values.deletionProtection | default dict -}}
{{- $annotations := dict -}}
{{- if ne $protection.helm false }}{{ $_ := set $annotations "helm.sh/resource-policy" "keep" }}{{ end -}}
{{- if ne $protection.argocd false }}{{ $_ := set $annotations "argocd.argoproj.io/sync-options" "Prune=false,Delete=false" }}{{ end -}}
{{- if ne $protection.keepNamespace false }}{{ $_ := set $annotations "kargo.akuity.io/keep-namespace" "true" }}{{ end -}}
{{- toJson $annotations -}}
{{- end -}}
