{{/*
The stages of the pipeline without those that a layer took out with null. Takes the root context. Returns JSON, a map.
*/}}
{{- define "kargo-service.stages" -}}
{{- $stages := dict -}}
{{- range $name, $stage := .Values.stages }}{{ if not (kindIs "invalid" $stage) }}{{ $_ := set $stages $name $stage }}{{ end }}{{ end -}}
{{- toJson $stages -}}
{{- end -}}

{{/*
How one stage is promoted: `promotion` with the stage's own `promotion` over it, and whether it is a control flow stage, which
only passes Freight on: an empty list of steps instead of the default ones means that, too. Takes a dict: root, stage. Returns
JSON, a map.
*/}}
{{- define "kargo-service.promotion" -}}
{{- $stage := get .root.Values.stages .stage | default dict -}}
{{- $promotion := deepCopy (.root.Values.promotion | default dict) -}}
{{- with $stage.promotion }}{{ $promotion = mergeOverwrite $promotion (deepCopy .) }}{{ end -}}
{{- $replace := ($promotion.steps).replace -}}
{{- if or $stage.controlFlow (and (kindIs "slice" $replace) (not $replace) (not ($promotion.task).name)) }}{{ $_ := set $promotion "controlFlow" true }}{{ end -}}
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
What one stage's promotions write beside its values file: promotion.updates without those that a layer took out with null. Takes
a dict: root, stage, promotion (the merged one). Returns JSON, a map by name; each has kind, folder and the keys that it was
given, with <service> and <stage> filled in.
*/}}
{{- define "kargo-service.updates" -}}
{{- $context := . -}}
{{- $updates := dict -}}
{{- range $name, $given := .promotion.updates -}}
{{- range $kind, $update := $given -}}
{{- if kindIs "map" $update -}}
  {{- $path := include "kargo-service.expand" (dict "root" $context.root "stage" $context.stage "text" ($update.path | default $context.promotion.path | default "services/<service>/values-<stage>.yaml")) -}}
  {{- $folder := ternary $path (dir $path) (eq $kind "kustomize") -}}
  {{- $filled := merge (dict "kind" $kind "path" $path "folder" $folder) $update -}}
  {{- range $key := list "name" "newName" -}}
    {{- with get $update $key }}{{ $_ := set $filled $key (include "kargo-service.expand" (dict "root" $context.root "stage" $context.stage "text" .)) }}{{ end -}}
  {{- end -}}
  {{- $_ := set $updates $name $filled -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $updates -}}
{{- end -}}

{{/*
Whether a stage's promotions write its values file. Takes the stage's merged promotion. Returns "true" or nothing.
*/}}
{{- define "kargo-service.writesValuesFile" -}}
{{- if or .tagKey (not (hasKey . "tagKey")) .digestKey }}true{{ end -}}
{{- end -}}

{{/*
Whether a stage runs the default steps. Takes the stage's merged promotion. Returns "true" or nothing.
*/}}
{{- define "kargo-service.hasDefaultSteps" -}}
{{- if not (or (.steps).replace (.task).name .controlFlow) }}true{{ end -}}
{{- end -}}

{{/*
How a stage is verified. Takes a map or nothing: analysisTemplates, analysisRunMetadata, args. Returns lines of YAML, a map
without empty values, as Kargo does not store them; nothing when there are no others.
*/}}
{{- define "kargo-service.verification" -}}
{{- $verification := . | default dict }}
{{- with $verification.analysisTemplates }}
analysisTemplates:
  {{- range . }}
  - name: {{ toYaml .name }}
    {{- with .kind }}
    kind: {{ . }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $metadata := dict }}
{{- range $key := list "labels" "annotations" }}
{{- $entries := dict }}
{{- range $name, $value := get ($verification.analysisRunMetadata | default dict) $key | default dict }}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $entries $name $value }}{{ end }}
{{- end }}
{{- with $entries }}{{ $_ := set $metadata $key . }}{{ end }}
{{- end }}
{{- with $metadata }}
analysisRunMetadata:
  {{- range $key, $entries := . }}
  {{ $key }}:
    {{- range $name, $value := $entries }}
    {{ toYaml $name }}: {{ $value | quote }}
    {{- end }}
  {{- end }}
{{- end }}
{{- with $verification.args }}
args:
  {{- range . }}
  - name: {{ toYaml .name }}
    value: {{ .value | quote }}
  {{- end }}
{{- end }}
{{- end -}}
