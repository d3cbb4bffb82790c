{{/*
Rendered manifests (promotion.render): ./src has the sources, ./out the branch that the manifests are committed to. Many services
share that branch, so that a promotion replaces its own folder only.
*/}}

{{/*
What promotion.render means. Takes a dict: service, given (promotion.render). Returns JSON, a map: {} when nothing is rendered, else
what was given, with

  kind      helm or kustomize
  branch    where the manifests go
  outPath   the folder on it, or the file; empty for the whole branch
*/}}
{{- define "kargo-service.rendering" -}}
{{- $kind := "" -}}
{{- range list "kustomize" "helm" }}{{ if kindIs "map" (get ($.given | default dict) .) }}{{ $kind = . }}{{ end }}{{ end -}}
{{- if $kind -}}
  {{- $outPath := .given.outPath | default .service | clean -}}
  {{- $render := deepCopy .given -}}
  {{- $_ := set $render "kind" $kind -}}
  {{- $_ := set $render "branch" (.given.branch | default "stage/<stage>") -}}
  {{- $_ := set $render "outPath" (ternary "" $outPath (eq $outPath ".")) -}}
  {{- with $render.helm -}}
    {{- /* Without a namespace Kargo would render for that of the Project. */ -}}
    {{- $own := dict "releaseName" (.releaseName | default $.service) "namespace" (.namespace | default (printf "%s-<stage>" $.service)) -}}
    {{- $_ := set $render "helm" (merge $own .) -}}
  {{- end -}}
  {{- toJson $render -}}
{{- else }}{}{{ end -}}
{{- end -}}

{{/*
The revision that a stage is promoted from: the branch, or, where it renders and a Warehouse subscribes to the same repository, the
commit of the Freight. Takes a dict: root, stage. Returns one line of YAML.
*/}}
{{- define "kargo-service.source" -}}
{{- $commit := include "kargo-service.renderedCommit" . -}}
{{- if $commit -}}
commit: {{ printf `${{ quote(%s.ID) }}` $commit | quote }}
{{- else -}}
branch: {{ `${{ quote(vars.branch) }}` }}
{{- end -}}
{{- end -}}

{{/*
The expression for the commit of the repository of a stage that is rendered. Where two Warehouses have it, it is that of the Freight
that is promoted. Takes a dict: root, stage. Returns nothing when nothing is rendered, or no Warehouse of the stage has that repository.
*/}}
{{- define "kargo-service.renderedCommit" -}}
{{- if .stage.promotion.render.kind -}}
{{- $own := include "kargo-service.gitIdentity" .stage.git.repoURL -}}
{{- $urls := dict -}}
{{- range $freight := .stage.freight -}}
{{- range (get $.root.Values.unit.warehouses $freight.key).all -}}
  {{- with .subscription.git }}{{ if eq (include "kargo-service.gitIdentity" .repoURL) $own }}{{ $_ := set $urls $freight.key .repoURL }}{{ end }}{{ end -}}
{{- end -}}
{{- end -}}
{{- with $urls -}}
  {{- printf `commitFrom(%s%s)` (values . | sortAlpha | first | quote) (ternary "" `, warehouse(ctx.targetFreight.origin.name)` (eq (len .) 1)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The folders of ./src that rendering needs. Takes the stage. Returns JSON, a list; [] when nothing is rendered.
*/}}
{{- define "kargo-service.renderedFolders" -}}
{{- $render := .promotion.render -}}
{{- $folders := list -}}
{{- with $render.kind }}{{ $folders = append $folders (get $render .).path }}{{ end -}}
{{- range include "kargo-service.valuesFiles" . | fromJsonArray }}{{ $folders = append $folders (dir .) }}{{ end -}}
{{- uniq $folders | toJson -}}
{{- end -}}

{{/*
The values files that a chart is rendered with, from the root of the repository. Takes the stage. Returns JSON, a list; [] when
none is rendered.
*/}}
{{- define "kargo-service.valuesFiles" -}}
{{- $render := .promotion.render -}}
{{- $files := list -}}
{{- if eq ($render.kind | default "") "helm" -}}
  {{- $files = ternary $render.helm.valuesFiles (list .promotion.path) (kindIs "slice" $render.helm.valuesFiles) -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}

{{/*
The checkout of the branch for manifests, which the first promotion creates. Takes the stage. Returns YAML, a list; nothing when
nothing is rendered.
*/}}
{{- define "kargo-service.renderedCheckout" -}}
{{- $render := .promotion.render -}}
{{- if $render.kind -}}
- branch: {{ quote $render.branch }}
  create: true
  path: ./out
  {{- $folder := include "kargo-service.renderedFolder" $render }}
  {{- if and $folder (or .git.sparse (not (kindIs "bool" .git.sparse))) }}
  sparse:
    - {{ quote $folder }}
    {{- if kindIs "slice" .git.sparse }}
    {{- range without .git.sparse $folder }}
    - {{ quote . }}
    {{- end }}
    {{- end }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/*
The folder of the branch for manifests that a promotion needs. Takes promotion.render of a stage. Returns nothing for the whole branch.
*/}}
{{- define "kargo-service.renderedFolder" -}}
{{- $folder := .outPath -}}
{{- if regexMatch `[.]ya?ml$` $folder }}{{ $folder = dir $folder }}{{ end -}}
{{- if ne $folder "." }}{{ $folder }}{{ end -}}
{{- end -}}

{{/*
The steps that render. Takes a dict: stage, retry. Returns lines of YAML, a list; nothing when nothing is rendered.
*/}}
{{- define "kargo-service.renderSteps" -}}
{{- $render := .stage.promotion.render -}}
{{- if $render.kind -}}
{{- $settings := get $render $render.kind -}}
{{- $outPath := list "./out" $render.outPath | compact | join "/" -}}
{{- if and (eq $render.kind "kustomize") (include "kargo-service.writesImage" .stage) }}
- uses: kustomize-set-image
  as: update
  {{- with include "kargo-service.retry" (get .retry "kustomize-set-image") | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  config:
    path: {{ printf "./src/%s" $settings.path | quote }}
    {{- include "kargo-service.setImage" (dict "stage" .stage "settings" $settings "isDigest" (or .stage.isDigest .stage.promotion.digestKey)) | nindent 4 }}
{{- end }}
{{- $clear := ternary "delete" "git-clear" (not (empty $render.outPath)) }}
- uses: {{ $clear }}
  {{- with include "kargo-service.retry" (get .retry $clear) | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  config:
    path: {{ quote $outPath }}
{{- $step := get (dict "helm" "helm-template" "kustomize" "kustomize-build") $render.kind }}
- uses: {{ $step }}
  as: render
  {{- with include "kargo-service.retry" (get .retry $step) | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  config:
    path: {{ printf "./src/%s" $settings.path | quote }}
    outPath: {{ quote $outPath }}
    {{- if eq $render.kind "helm" }}
    {{- include "kargo-service.helmTemplate" .stage | nindent 4 }}
    {{- end }}
    {{- range $key := list "outputFormat" "plugin" }}
    {{- with get $settings $key }}
    {{- dict $key . | toYaml | nindent 4 }}
    {{- end }}
    {{- end }}
{{- end -}}
{{- end -}}

{{/*
The settings of the step helm-template beside path and outPath. Takes the stage. Returns YAML, a map.
*/}}
{{- define "kargo-service.helmTemplate" -}}
{{- $helm := .promotion.render.helm -}}
releaseName: {{ quote $helm.releaseName }}
namespace: {{ quote $helm.namespace }}
{{- if not (regexMatch `[.]ya?ml$` .promotion.render.outPath) }}
outLayout: {{ $helm.outLayout | default "flat" }}
{{- end }}
{{- with include "kargo-service.valuesFiles" . | fromJsonArray }}
valuesFiles:
  {{- range . }}
  - {{ printf "./src/%s" . | quote }}
  {{- end }}
{{- end }}
{{- $setValues := include "kargo-service.setValues" . | fromJson }}
{{- with $setValues }}
setValues:
  {{- range $key, $what := . }}
  - key: {{ quote $key }}
    value: {{ include "kargo-service.written" (dict "stage" $ "what" $what) }}
    {{- /* A string as it is: the tag 20261101 is no number. Such keys cannot have a backslash. */}}
    {{- if not (contains `\` $key) }}
    literal: true
    {{- end }}
  {{- end }}
{{- end }}
{{- range $key := list "apiVersions" "buildDependencies" "disableHooks" "ignoreMissingValueFiles" "includeCRDs" "kubeVersion" "skipTests" "useReleaseName" }}
{{- with get $helm $key }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
What a chart's values are set to, by Helm's keys: tag and digest at promotion.tagKey and digestKey, and what setValues says. Takes
the stage. Returns JSON, a map.
*/}}
{{- define "kargo-service.setValues" -}}
{{- $set := dict -}}
{{- with include "kargo-service.tagKey" . }}{{ $_ := set $set (include "kargo-service.helmKey" .) "tag" }}{{ end -}}
{{- if .imageFrom }}{{ with .promotion.digestKey }}{{ $_ := set $set (include "kargo-service.helmKey" .) "digest" }}{{ end }}{{ end -}}
{{- range $key, $what := .promotion.render.helm.setValues }}{{ if $what }}{{ $_ := set $set $key $what }}{{ end }}{{ end -}}
{{- toJson $set -}}
{{- end -}}

{{/*
A key as Kargo's yaml-update writes it, in Helm's way: images.0.tag is images[0].tag. Takes a string.
*/}}
{{- define "kargo-service.helmKey" -}}
{{- if contains `\` . }}{{ . }}{{ else -}}
{{- range $index, $part := splitList "." . -}}
  {{- if and $index (regexMatch `^[0-9]+$` $part) }}[{{ $part }}]{{ else }}{{ ternary "." "" (gt $index 0) }}{{ trimPrefix ":" $part }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
