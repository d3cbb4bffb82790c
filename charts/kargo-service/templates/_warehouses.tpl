{{/*
The Warehouses, by key: the first, which image and warehouse describe, as main, and those of warehouses. Takes the root context.
Returns JSON, a map of maps: path (of its settings in .Values), name, given (its settings), subscriptions as Kargo stores them,
and paths, those of the subscriptions.
*/}}
{{- define "kargo-service.warehouses" -}}
{{- $warehouses := dict -}}
{{- $main := .Values.warehouse | default dict -}}
{{- $all := list -}}
{{- if kindIs "map" .Values.image -}}
  {{- $all = append $all (dict "path" "image" "subscription" (dict "image" (include "kargo-service.image" .Values.image | fromJson))) -}}
{{- end -}}
{{- $all = concat $all (include "kargo-service.subscriptions" (dict "path" "warehouse" "given" $main) | fromJsonArray) -}}
{{- if $all -}}
  {{- $name := $main.name | default (include "kargo-service.name" .) -}}
  {{- $_ := set $warehouses "main" (dict "path" "warehouse" "name" $name "given" $main "all" $all) -}}
{{- end -}}
{{- range $key, $given := .Values.warehouses -}}
{{- if and (not (kindIs "invalid" $given)) (ne $key "main") -}}
  {{- $all = list -}}
  {{- range $kind := list "image" "git" "chart" -}}
  {{- $own := get $given $kind -}}
  {{- if kindIs "map" $own -}}
    {{- $inherited := dict -}}
    {{- if and (not $own.repoURL) (ne $kind "chart") -}}
      {{- range $setting := list "repoURL" "branch" "platform" "cacheByTag" "insecureSkipTLSVerify" }}{{ with get (get $.Values $kind | default dict) $setting }}{{ $_ := set $inherited $setting . }}{{ end }}{{ end -}}
      {{- if ne ($own.commitSelectionStrategy | default "NewestFromBranch") "NewestFromBranch" }}{{ $inherited = omit $inherited "branch" }}{{ end -}}
    {{- end -}}
    {{- $subscription := include "kargo-service.subscription" (dict $kind (mergeOverwrite $inherited (deepCopy $own))) | fromJson -}}
    {{- $all = append $all (dict "path" (printf "warehouses.%s.%s" $key $kind) "subscription" $subscription) -}}
  {{- end -}}
  {{- end -}}
  {{- $all = concat $all (include "kargo-service.subscriptions" (dict "path" (printf "warehouses.%s" $key) "given" $given) | fromJsonArray) -}}
  {{- $_ := set $warehouses $key (dict "path" (printf "warehouses.%s" $key) "name" ($given.name | default $key) "given" $given "all" $all) -}}
{{- end -}}
{{- end -}}
{{- toJson $warehouses -}}
{{- end -}}

{{/*
The list `subscriptions` of a Warehouse's settings. Takes a dict: path, given. Returns JSON, a list of maps: path, subscription.
*/}}
{{- define "kargo-service.subscriptions" -}}
{{- $path := .path -}}
{{- $all := list -}}
{{- range $index, $given := .given.subscriptions -}}
  {{- $all = append $all (dict "path" (printf "%s.subscriptions[%d]" $path $index) "subscription" (include "kargo-service.subscription" $given | fromJson)) -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{/*
The subscription to the service's image in the form that Kargo stores it. Takes `image`. Returns JSON, a map.
*/}}
{{- define "kargo-service.image" -}}
{{- $strategy := .imageSelectionStrategy | default "SemVer" -}}
{{- $subscription := dict
      "repoURL" (.repoURL | default "")
      "imageSelectionStrategy" $strategy
      "strictSemvers" (ne .strictSemvers false)
      "discoveryLimit" (.discoveryLimit | default 10) -}}
{{- if and .constraint (has $strategy (list "SemVer" "Digest")) }}{{ $_ := set $subscription "constraint" .constraint }}{{ end -}}
{{- range $key := list "allowTagsRegexes" "ignoreTagsRegexes" "platform" "cacheByTag" "insecureSkipTLSVerify" -}}
  {{- with get $ $key }}{{ $_ := set $subscription $key . }}{{ end -}}
{{- end -}}
{{- toJson $subscription -}}
{{- end -}}

{{/*
Any other subscription in the form that Kargo stores it: its webhook's defaults explicit, zero values left out. Takes a map with
one key, image, git or chart, and perhaps a name. Returns JSON, a map.
*/}}
{{- define "kargo-service.subscription" -}}
{{- $result := dict -}}
{{- with .name }}{{ $_ := set $result "name" . }}{{ end -}}
{{- range $kind, $given := omit . "name" -}}
{{- $subscription := dict "discoveryLimit" 20 -}}
{{- if eq $kind "image" }}{{ $_ := set $subscription "imageSelectionStrategy" "SemVer" }}{{ end -}}
{{- if eq $kind "git" }}{{ $_ := set $subscription "commitSelectionStrategy" "NewestFromBranch" }}{{ end -}}
{{- if ne $kind "chart" }}{{ $_ := set $subscription "strictSemvers" true }}{{ end -}}
{{- range $key, $value := $given -}}
  {{- if or $value (and (has $key (list "strictSemvers" "blobless")) (kindIs "bool" $value)) }}{{ $_ := set $subscription $key $value }}{{ end -}}
{{- end -}}
{{- $_ := set $result $kind $subscription -}}
{{- end -}}
{{- toJson $result -}}
{{- end -}}
