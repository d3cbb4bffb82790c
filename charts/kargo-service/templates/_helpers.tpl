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
Labels of an object, indented to stand in its metadata. Takes a dict: root, and optionally extra (labels) and shard (a name).
Neither the chart's version nor the release's revision is among them: they would change every object of every service
at each release of the chart.
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
  labels:
    {{- toYaml $labels | nindent 4 }}
{{- end -}}

{{/*
Annotations of an object, indented to stand in its metadata; nothing when it has none. Takes a dict: root, and optionally extra (annotations), own (annotations
that the chart sets itself; they win) and wave (an Argo CD sync wave).
*/}}
{{- define "kargo-service.annotations" -}}
{{- $annotations := dict -}}
{{- range $more := list .root.Values.commonAnnotations .extra .own -}}
  {{- range $key, $value := $more }}{{ if not (kindIs "invalid" $value) }}{{ $_ := set $annotations $key $value }}{{ end }}{{ end -}}
{{- end -}}
{{- if and .wave (ne .root.Values.syncWaves false) }}{{ $_ := set $annotations "argocd.argoproj.io/sync-wave" .wave }}{{ end -}}
{{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}

{{/*
The annotations that keep Namespace and Project, as JSON of a map. Takes the root context.
*/}}
{{- define "kargo-service.deletionProtection" -}}
{{- $protection := .Values.deletionProtection | default dict -}}
{{- $annotations := dict -}}
{{- if ne $protection.helm false }}{{ $_ := set $annotations "helm.sh/resource-policy" "keep" }}{{ end -}}
{{- if ne $protection.argocd false }}{{ $_ := set $annotations "argocd.argoproj.io/sync-options" "Prune=false,Delete=false" }}{{ end -}}
{{- if ne $protection.keepNamespace false }}{{ $_ := set $annotations "kargo.akuity.io/keep-namespace" "true" }}{{ end -}}
{{- toJson $annotations -}}
{{- end -}}

{{/*
A duration in the form that Kubernetes stores it, Go's own: 1h → 1h0m0s, 90m → 1h30m0s. Takes the text.
Argo CD would see any other form as drift for ever, because Kargo's webhooks rewrite it.
*/}}
{{- define "kargo-service.duration" -}}
{{- $start := toDate "2006-01-02" "2000-01-01" -}}
{{- sub (mustDateModify . $start | unixEpoch) (unixEpoch $start) | duration -}}
{{- end -}}

{{/*
A count in the form that Kubernetes stores it, a canonical quantity: 1000 → 1k. Takes a number or a text.
*/}}
{{- define "kargo-service.quantity" -}}
{{- if and (kindIs "string" .) (not (regexMatch `^[1-9][0-9]*$` .)) -}}
  {{- . -}}
{{- else -}}
  {{- $count := int64 . -}}
  {{- $suffixes := list "" "k" "M" "G" -}}
  {{- $suffix := 0 -}}
  {{- range until 3 }}{{ if and (ne $count 0) (eq (mod $count 1000) 0) }}{{ $count = div $count 1000 }}{{ $suffix = add1 $suffix }}{{ end }}{{ end -}}
  {{- $count }}{{ index $suffixes (int $suffix) -}}
{{- end -}}
{{- end -}}

{{/*
A pattern with <service> and <stage> filled in. Takes a dict: root, stage, text.
*/}}
{{- define "kargo-service.expand" -}}
{{- .text | replace "<service>" (include "kargo-service.name" .root) | replace "<stage>" .stage -}}
{{- end -}}

{{/*
How one stage is promoted: `promotion` with the stage's own `promotion` over it, as JSON. Takes a dict: root, stage.
*/}}
{{- define "kargo-service.promotion" -}}
{{- $promotion := .root.Values.promotion | default dict -}}
{{- with (get .root.Values.stages .stage | default dict).promotion }}{{ $promotion = mergeOverwrite (deepCopy $promotion) (deepCopy .) }}{{ end -}}
{{- toJson $promotion -}}
{{- end -}}

{{/*
The branch that one stage is promoted on. Takes a dict: root, stage.
*/}}
{{- define "kargo-service.branch" -}}
{{- (get .root.Values.stages .stage | default dict).branch | default (.root.Values.git).branch | default "main" -}}
{{- end -}}

{{/*
The values file that one stage's promotions write. Takes a dict: root, stage, promotion (the merged one).
*/}}
{{- define "kargo-service.path" -}}
{{- $text := .promotion.path | default "services/<service>/values-<stage>.yaml" -}}
{{- include "kargo-service.expand" (dict "root" .root "stage" .stage "text" $text) -}}
{{- end -}}

{{/*
Whether a stage runs the default steps, "true" or nothing. Takes the stage's merged promotion.
*/}}
{{- define "kargo-service.hasDefaultSteps" -}}
{{- if not (or (.steps).replace (.task).name) }}true{{ end -}}
{{- end -}}
