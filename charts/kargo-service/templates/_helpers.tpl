{{/*
How the defines of this chart are written.

The comment above a define says what it takes, what it returns, and when it returns nothing. It returns a string, unless the
comment says JSON, which the caller reads with fromJson, or YAML.

YAML starts at column 0 and does not have the key that it goes under. The caller writes the key and indents:

  labels:
    {{- include "kargo-service.labels" (dict "root" .) | nindent 4 }}
  {{- with include "kargo-service.annotations" (dict "root" .) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}

YAML that is written out line by line begins with a newline, as any of its lines may be missing; the comment calls it lines.
Such lines follow each other as they are, and are trimmed before they are indented: `include "kargo-service.vars" . | trim`.
Other YAML is toYaml's and is not trimmed: it may end with a string that ends with newlines.
*/}}

{{/*
A duration in the form that Kubernetes stores it, Go's own: 1h → 1h0m0s, 90m → 1h30m0s. Takes a string.
Argo CD would report any other form as permanent drift, because Kargo's webhooks rewrite it.
*/}}
{{- define "kargo-service.duration" -}}
{{- $start := toDate "2006-01-02" "2000-01-01" -}}
{{- sub (mustDateModify . $start | unixEpoch) (unixEpoch $start) | duration -}}
{{- end -}}

{{/*
A count in the form that Kubernetes stores it, a canonical quantity: 1000 → 1k. Takes a number or a string.
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
Variables as Kargo's list of name and value; empty values are left out, as Kargo does not store them. Takes a map or nothing.
Returns lines of YAML; nothing when all values are empty.
*/}}
{{- define "kargo-service.vars" -}}
{{- range $name, $value := . }}
{{- if $value }}
- name: {{ toYaml $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
Words in a sentence: "a", "a and b", "a, b and c". Takes a list; returns nothing when it is empty.
*/}}
{{- define "kargo-service.enumerate" -}}
{{- if lt (len .) 2 }}{{ join "" . }}{{ else }}{{ initial . | join ", " }} and {{ last . }}{{ end -}}
{{- end -}}
