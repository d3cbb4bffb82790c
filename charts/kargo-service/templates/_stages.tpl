{{/*
The stages of the pipeline, by name, without those that a layer took out with null. Takes the root context, in which
.Values.unit.warehouses is set. Returns JSON, a map of maps: what a stage was given, with <stage> replaced, and

  name         its name
  promotion    `promotion` with the stage's own over it, and the path of the values file; `render` is {} or has kind, branch and
               outPath, see kargo-service.rendering
  git          `git` with the stage's own over it, and its branch
  shard        its own, or that of the unit
  controlFlow  whether it only passes Freight on; an empty list of steps instead of the default ones means that, too
  freight      what it takes, see kargo-service.freight
  imageFrom, chartFrom, commitFrom   the expression for the image, the chart or the commit that it is promoted with; not set
               where its Warehouses do not have one
  chart        the subscription of chartFrom
  isDigest     whether that image has a mutable tag
*/}}
{{- define "kargo-service.stages" -}}
{{- $service := include "kargo-service.name" . -}}
{{- $stages := dict -}}
{{- range $name, $given := .Values.stages -}}
{{- if not (kindIs "invalid" $given) -}}
  {{- $promotion := deepCopy ($.Values.promotion | default dict) -}}
  {{- with $given.promotion }}{{ $promotion = mergeOverwrite $promotion (deepCopy .) }}{{ end -}}
  {{- $git := deepCopy ($.Values.git | default dict) -}}
  {{- with $given.git }}{{ $git = mergeOverwrite $git (deepCopy .) }}{{ end -}}
  {{- $_ := set $git "branch" ($given.branch | default $git.branch | default "main") -}}
  {{- $_ := set $promotion "path" ($promotion.path | default (printf "services/%s/values-<stage>.yaml" $service)) -}}
  {{- $_ := set $promotion "render" (include "kargo-service.rendering" (dict "service" $service "given" $promotion.render) | fromJson) -}}
  {{- $stage := merge (dict "name" $name "promotion" $promotion "git" $git "shard" ($given.shard | default $.Values.shard)) (omit $given "promotion" "git") -}}
  {{- $replace := ($promotion.steps).replace -}}
  {{- if and (kindIs "slice" $replace) (not $replace) (not ($promotion.task).name) }}{{ $_ := set $stage "controlFlow" true }}{{ end -}}
  {{- $_ := set $stages $name (include "kargo-service.filled" (dict "value" $stage "word" "stage" "with" $name) | fromJson) -}}
{{- end -}}
{{- end -}}
{{- $warehouses := .Values.unit.warehouses -}}
{{- range $name, $freight := include "kargo-service.freight" (dict "warehouses" $warehouses "stages" $stages) | fromJson -}}
  {{- $stage := get $stages $name -}}
  {{- $_ := set $stage "freight" $freight -}}
  {{- include "kargo-service.sources" (dict "root" $ "stage" $stage) -}}
{{- end -}}
{{- toJson $stages -}}
{{- end -}}

{{/*
Adds to a stage the expressions for what it is promoted with. Where two Warehouses have the image, it is that of the Freight that
is promoted. Takes a dict: root, stage; returns nothing.
*/}}
{{- define "kargo-service.sources" -}}
{{- $stage := .stage -}}
{{- $own := (.root.Values.image).repoURL | default "" -}}
{{- $images := dict -}}
{{- $charts := list -}}
{{- $commits := list -}}
{{- range $stage.freight -}}
{{- $key := .key -}}
{{- range (get $.root.Values.unit.warehouses $key).all -}}
  {{- with .subscription.image -}}
    {{- if eq (.repoURL | default "") $own -}}
      {{- $_ := set $images $key true -}}
      {{- if eq .imageSelectionStrategy "Digest" }}{{ $_ := set $stage "isDigest" true }}{{ end -}}
    {{- end -}}
  {{- end -}}
  {{- with .subscription.chart }}{{ $charts = append $charts (list $key . (printf `chartFrom(%s%s` (quote .repoURL) (ternary (printf `, %s` (quote .name)) "" (not (empty .name))))) }}{{ end -}}
  {{- with .subscription.git }}{{ $commits = append $commits (list $key . (printf `commitFrom(%s` (quote .repoURL))) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if eq (len $images) 1 }}{{ $_ := set $stage "imageFrom" "imageFrom(vars.imageRepoURL)" }}{{ end -}}
{{- if gt (len $images) 1 }}{{ $_ := set $stage "imageFrom" "imageFrom(vars.imageRepoURL, warehouse(ctx.targetFreight.origin.name))" }}{{ end -}}
{{- range $name, $found := dict "chart" $charts "commit" $commits -}}
  {{- $keys := list }}{{ $calls := list }}{{ range $found }}{{ $keys = append $keys (index . 0) }}{{ $calls = append $calls (index . 2) }}{{ end -}}
  {{- /* One of them, or the same one in each Warehouse: then it is that of the Freight that is promoted. */ -}}
  {{- $one := eq (len $found) 1 -}}
  {{- $each := and (eq (len (uniq $calls)) 1) (eq (len (uniq $keys)) (len $found)) (eq (len $found) (len $stage.freight)) -}}
  {{- if or $one $each -}}
    {{- $_ := set $stage (printf "%sFrom" $name) (printf "%s%s)" (first $calls) (ternary "" ", warehouse(ctx.targetFreight.origin.name)" $one)) -}}
    {{- $_ := set $stage $name (index (first $found) 1) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/*
What a stage's promotions write beside its values file: promotion.updates without those that a layer took out with null. Takes
the stage. Returns JSON, a map by name; each has kind, path, folder, target (the file or kustomization that it writes) and the keys
that it was given.
*/}}
{{- define "kargo-service.updates" -}}
{{- $stage := . -}}
{{- $updates := dict -}}
{{- range $name, $given := .promotion.updates -}}
{{- range $kind, $update := $given -}}
{{- if kindIs "map" $update -}}
  {{- $path := $update.path | default $stage.promotion.path -}}
  {{- $folder := ternary (dir $path) $path (eq $kind "yaml") -}}
  {{- $target := ternary (printf "%s/Chart.yaml" $path) $path (eq $kind "helmDependency") -}}
  {{- $_ := set $updates $name (merge (dict "kind" $kind "path" $path "folder" $folder "target" $target) $update) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $updates -}}
{{- end -}}

{{/*
The key of the values file that gets the image's tag. Takes the stage. Returns nothing when there is none.
*/}}
{{- define "kargo-service.tagKey" -}}
{{- if .imageFrom }}{{ ternary .promotion.tagKey "image.tag" (hasKey .promotion "tagKey") }}{{ end -}}
{{- end -}}

{{/*
Whether a stage's promotions write its values file. Takes the stage. Returns "true" or nothing.
*/}}
{{- define "kargo-service.writesValuesFile" -}}
{{- if and (not .promotion.render.kind) (include "kargo-service.writesImage" .) }}true{{ end -}}
{{- end -}}

{{/*
Whether the image of a stage is written, or rendered, by the key of its tag or its digest. Takes the stage. Returns "true" or nothing.
*/}}
{{- define "kargo-service.writesImage" -}}
{{- if or (include "kargo-service.tagKey" .) (and .imageFrom .promotion.digestKey) }}true{{ end -}}
{{- end -}}

{{/*
Whether a stage runs the default steps. Takes the stage. Returns "true" or nothing.
*/}}
{{- define "kargo-service.hasDefaultSteps" -}}
{{- if not (or (.promotion.steps).replace (.promotion.task).name .controlFlow) }}true{{ end -}}
{{- end -}}

{{/*
Whether a stage has steps that people wrote. Takes the stage. Returns "true" or nothing.
*/}}
{{- define "kargo-service.hasOwnSteps" -}}
{{- with .promotion.steps }}{{ if or .before .beforeCommit .after .replace }}true{{ end }}{{ end -}}
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
