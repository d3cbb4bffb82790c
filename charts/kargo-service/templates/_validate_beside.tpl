{{/*
Rules of AnalysisTemplates, PromotionTasks and extra objects. kargo-fleet has the same ones (tools/kargo_fleet/unit/beside.py), and
knows the kinds that the platform allowed. Takes the root context.
*/}}
{{- define "kargo-service.validate.beside" -}}
{{- $root := . -}}
{{- range $name, $spec := .Values.analysisTemplates }}
{{- if not (kindIs "invalid" $spec) }}
{{- if not $spec.metrics }}
analysisTemplates.{{ $name }}.metrics: is required; for example [{name: health, provider: {web: {url: "https://nginx.example.com"}}}]
{{- end }}
{{- $metrics := dict }}
{{- range $index, $metric := $spec.metrics }}
{{- if hasKey $metrics .name }}
analysisTemplates.{{ $name }}.metrics[{{ $index }}].name: {{ quote .name }} is the name of another metric
{{- end }}
{{- $_ := set $metrics .name true }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $spec := .Values.promotionTasks }}
{{- if not (kindIs "invalid" $spec) }}
{{- include "kargo-service.validate.promotionTask" (dict "root" $root "path" (printf "promotionTasks.%s" $name) "spec" $spec) }}
{{- end }}
{{- end }}
{{- if .Values.promotionTasks }}
{{- range .Values.unit.stages }}
{{- if not .controlFlow }}{{ include "kargo-service.validate.taskRuns" (dict "tasks" $root.Values.promotionTasks "stage" .) }}{{ end }}
{{- end }}
{{- end }}
{{- include "kargo-service.validate.extraObjects" . }}
{{- end -}}

{{/*
What a stage gives to the unit's tasks: a variable without a default has to come from the step, or from the stage's own variables.
Takes a dict: tasks, stage.
*/}}
{{- define "kargo-service.validate.taskRuns" -}}
{{- $tasks := .tasks -}}
{{- $steps := .stage.promotion.steps | default dict -}}
{{- $path := printf "stages.%s.promotion" .stage.name -}}
{{- $given := include "kargo-service.reservedVars" . | splitList " " -}}
{{- range $name, $value := .stage.vars }}{{ if $value }}{{ $given = append $given $name }}{{ end }}{{ end -}}
{{- $runs := list -}}
{{- with .stage.promotion.task }}{{ $runs = append $runs (list (printf "%s.task" $path) . .vars) }}{{ end -}}
{{- range $list := include "kargo-service.ownStepLists" .stage | splitList " " -}}
  {{- range $index, $step := get $steps $list | default list -}}
    {{- with .task }}{{ $runs = append $runs (list (printf "%s.steps.%s[%d]" $path $list $index) . $step.vars) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- range $runs }}
{{- $place := index . 0 }}
{{- $task := index . 1 }}
{{- $set := index . 2 | default dict }}
{{- if and $task.name (ne ($task.kind | default "") "ClusterPromotionTask") }}
{{- range include "kargo-service.taskVars" (get $tasks $task.name | default dict).vars | fromYamlArray }}
{{- if not (or .value (get $set .name) (has .name $given)) }}
{{ $place }}.vars.{{ .name }}: is required by the PromotionTask {{ $task.name }}, which has no default for it
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
One PromotionTask. Takes a dict: root, path, spec.
*/}}
{{- define "kargo-service.validate.promotionTask" -}}
{{- $path := printf "%s.steps" .path -}}
{{- $known := include "kargo-service.knownSteps" (.root.Values.promotion).customSteps | fromJsonArray -}}
{{- if not .spec.steps }}
{{ $path }}: is required; for example [{uses: http, config: {url: "https://example.com"}}]
{{- end }}
{{- range $index, $step := .spec.steps }}
{{- if .task }}
{{ $path }}[{{ $index }}].task: is not allowed; a task cannot run another one
{{- end }}
{{- end }}
{{- include "kargo-service.validate.stepList" (dict "path" $path "steps" .spec.steps "known" $known "aliases" dict) }}
{{- end -}}

{{/*
The objects of other kinds. Takes the root context.
*/}}
{{- define "kargo-service.validate.extraObjects" -}}
{{- $project := include "kargo-service.project" . -}}
{{- $forbidden := dict -}}
{{- if .Values.extraObjects -}}
  {{- range $reason, $kinds := include "kargo-service.forbiddenKinds" . | fromYaml -}}
    {{- range splitList " " $kinds }}{{ $_ := set $forbidden . $reason }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- $seen := dict -}}
{{- range $key, $object := .Values.extraObjects }}
{{- if not (kindIs "invalid" $object) }}
{{- $path := printf "extraObjects.%s" $key }}
{{- range $field := list "apiVersion" "kind" }}
{{- if not (get $object $field) }}
{{ $path }}.{{ $field }}: is required; for example {{ ternary "v1" "ConfigMap" (eq $field "apiVersion") }}
{{- end }}
{{- end }}
{{- $namespace := ($object.metadata).namespace | default $project }}
{{- if ne $namespace $project }}
{{ $path }}.metadata.namespace: {{ quote $namespace }} is not allowed; the chart sets {{ $project }}
{{- end }}
{{- if and $object.apiVersion $object.kind }}
{{- $group := ternary (splitList "/" $object.apiVersion | first) "" (contains "/" $object.apiVersion) }}
{{- $kind := printf "%s.%s" $object.kind $group | trimSuffix "." }}
{{- with get $forbidden $kind }}
{{ $path }}.kind: {{ quote $object.kind }} is not allowed; {{ . }}
{{- end }}
{{- $identity := printf "%s %s" $kind (($object.metadata).name | default $key) }}
{{- if hasKey $seen $identity }}
{{ $path }}: is the same object as extraObjects.{{ get $seen $identity }}, {{ $object.kind }} {{ ($object.metadata).name | default $key }}
{{- end }}
{{- $_ := set $seen $identity $key }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
