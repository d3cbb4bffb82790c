{{/*
The Kargo that a unit is for: fields and steps of a newer one are an error, and so is what it refuses. kargo-fleet has the
same rules and messages (tools/kargo_fleet/unit/kargo_versions.py), and kargo_versions.json the source of these facts.
*/}}

{{/*
What Kargo 1.11 does not have: steps, and keys of steps' config, each with the first version that has it. Takes anything.
Returns YAML, a map.
*/}}
{{- define "kargo-service.newInKargo" -}}
steps:
  get-user-input: "1.12"
  record-audit-event: "1.12"
  tar: "1.12"
  wait-for-approval: "1.12"
config:
  http:
    bodyFromFile: "1.12"
{{- end -}}

{{/*
The rules of all Kargo versions. Takes the root context.
*/}}
{{- define "kargo-service.validate.kargo" -}}
{{- $version := (.Values.kargo).version | default "1.11" -}}
{{- $own := (.Values.image).repoURL | default "" -}}
{{- range $key, $warehouse := .Values.unit.warehouses }}
{{- include "kargo-service.validate.subscriptions" (dict "all" $warehouse.all "own" $own "version" $version) }}
{{- end }}
{{- if and (.Values.projectConfig).promotionWindows (semverCompare "<1.12" $version) }}
projectConfig.promotionWindows: requires Kargo 1.12; kargo.version is {{ $version }}
{{- end }}
{{- $stages := .Values.unit.stages }}
{{- range $name, $stage := $stages }}
{{- if and $stage.targets (semverCompare "<1.12" $version) }}
stages.{{ $name }}.targets: requires Kargo 1.12; kargo.version is {{ $version }}
{{- end }}
{{- end }}
{{- range $name, $stage := $stages }}
{{- if include "kargo-service.hasOwnSteps" $stage }}
{{- $new := include "kargo-service.newInKargo" . | fromYaml }}
{{- $steps := $stage.promotion.steps | default dict }}
{{- range $list := include "kargo-service.ownStepLists" $stage | splitList " " }}
{{- $path := printf "stages.%s.promotion.steps.%s" $name $list }}
{{- include "kargo-service.validate.newSteps" (dict "path" $path "steps" (get $steps $list | default list) "custom" $stage.promotion.customSteps "version" $version "new" $new) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $task := .Values.promotionTasks }}
{{- $new := include "kargo-service.newInKargo" . | fromYaml }}
{{- $path := printf "promotionTasks.%s.steps" $name }}
{{- include "kargo-service.validate.newSteps" (dict "path" $path "steps" ($task).steps "custom" ($.Values.promotion).customSteps "version" $version "new" $new) }}
{{- end }}
{{- end -}}

{{/*
Subscriptions of one Warehouse: names, and repositories that are subscribed to twice. Takes a dict: all, own (the service's
image, which has a rule of its own), version.
*/}}
{{- define "kargo-service.validate.subscriptions" -}}
{{- $isOld := semverCompare "<1.12" .version -}}
{{- $names := dict -}}
{{- $seen := dict -}}
{{- range .all }}
{{- $path := .path }}
{{- with .subscription.name }}
{{- if $isOld }}
{{ $path }}.name: requires Kargo 1.12; kargo.version is {{ $.version }}
{{- else if hasKey $names . }}
{{ $path }}.name: {{ quote . }} is the name of another subscription
{{- end }}
{{- $_ := set $names . true }}
{{- end }}
{{- range $kind, $given := omit .subscription "name" }}
{{- if $given.repoURL }}
{{- $identity := printf "%s %s" $kind (include "kargo-service.identity" (dict "kind" $kind "subscription" $given)) }}
{{- $isOwn := and (eq $kind "image") $.own (eq (include "kargo-service.imageIdentity" $given.repoURL) (include "kargo-service.imageIdentity" $.own)) }}
{{- if and (hasKey $seen $identity) (not $isOwn) (not $isOld) }}
{{ ternary (printf "%s.%s" $path $kind) $path (hasSuffix "]" $path) }}.repoURL: {{ quote $given.repoURL }} is subscribed to twice, which Kargo {{ $.version }} refuses
{{- end }}
{{- $_ := set $seen $identity true }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
What Kargo compares subscriptions of one kind by, see addSub in its pkg/webhook/kubernetes/warehouse/webhook.go. Takes a dict:
kind, subscription.
*/}}
{{- define "kargo-service.identity" -}}
{{- $url := .subscription.repoURL | trim -}}
{{- if eq .kind "image" -}}
  {{- include "kargo-service.imageIdentity" $url -}}
{{- else if eq .kind "chart" -}}
  {{- include "kargo-service.imageIdentity" (lower $url | trimPrefix "oci://") -}}
  {{- if hasPrefix "http" $url }} {{ .subscription.name | default "" }}{{ end -}}
{{- else -}}
  {{- include "kargo-service.gitIdentity" $url -}}
{{- end -}}
{{- end -}}

{{/*
A Git URL without what makes no difference, as NormalizeGit of Kargo's pkg/urls compares them. Takes a string or nothing.
*/}}
{{- define "kargo-service.gitIdentity" -}}
{{- $url := regexReplaceAll `^(https?://)[^/@]*@` (. | default "" | trim | lower) "${1}" -}}
{{- if not (regexMatch `^(https?|ssh)://` $url) }}{{ $url = regexReplaceAll `^([^:]+):` $url "ssh://${1}/" }}{{ end -}}
{{- $url | trimSuffix "/" | trimSuffix ".git" -}}
{{- end -}}

{{/*
An image repository without Docker Hub's names: nginx and docker.io/library/nginx are one. Takes a string.
*/}}
{{- define "kargo-service.imageIdentity" -}}
{{- regexReplaceAll `^(index\.|registry-1\.)?docker\.io/` (lower . | trim) "" | trimPrefix "library/" -}}
{{- end -}}

{{/*
Steps, and keys of their config, that a newer Kargo has. Takes a dict: path, steps, custom (names of custom steps), version,
new (kargo-service.newInKargo).
*/}}
{{- define "kargo-service.validate.newSteps" -}}
{{- $version := .version -}}
{{- $path := .path -}}
{{- $custom := .custom | default list -}}
{{- $new := .new -}}
{{- range $index, $step := .steps }}
{{- $since := get $new.steps ($step.uses | default "") }}
{{- if and $since (not (has $step.uses $custom)) (semverCompare (printf "<%s" $since) $version) }}
{{ $path }}[{{ $index }}].uses: {{ quote $step.uses }} is a step of Kargo {{ $since }}; kargo.version is {{ $version }}
{{- end }}
{{- range $key, $since := get $new.config ($step.uses | default "") | default dict }}
{{- if and (hasKey ($step.config | default dict) $key) (semverCompare (printf "<%s" $since) $version) }}
{{ $path }}[{{ $index }}].config.{{ $key }}: requires Kargo {{ $since }}; kargo.version is {{ $version }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
