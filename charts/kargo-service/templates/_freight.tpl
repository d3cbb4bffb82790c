{{/*
The Freight that each stage takes. A stage without requestedFreight takes what its upstream stages take, and without these that
of the first Warehouse (of the only one, where there is no first). In requestedFreight, an entry with direct or upstream stands
for itself; one without takes those of the stage.

Takes a dict: warehouses, stages. Returns JSON, a map by stage of lists of maps: key, path (of what asks for it, in .Values),
direct, upstream, requiredSoakTime, availabilityStrategy, selectionPolicy.
*/}}
{{- define "kargo-service.freight" -}}
{{- $stages := .stages -}}
{{- $keys := keys .warehouses | sortAlpha -}}
{{- if has "main" $keys }}{{ $keys = prepend (without $keys "main") "main" }}{{ end -}}
{{- $first := list -}}
{{- if or (has "main" $keys) (eq (len $keys) 1) }}{{ $first = list (first $keys) }}{{ end -}}
{{- $taken := dict -}}
{{- $inherits := list -}}
{{- range $name, $stage := $stages -}}
  {{- $own := list -}}
  {{- range $key, $request := $stage.requestedFreight }}{{ if not (kindIs "invalid" $request) }}{{ $own = append $own $key }}{{ end }}{{ end -}}
  {{- if not $own -}}
    {{- if $stage.upstream }}{{ $inherits = append $inherits $name }}{{ end -}}
    {{- if or $stage.direct (not $stage.upstream) }}{{ $own = $first }}{{ end -}}
  {{- end -}}
  {{- $_ := set $taken $name $own -}}
{{- end -}}
{{- if gt (len $keys) 1 -}}
{{- range $inherits -}}{{- /* As often as there are stages that inherit: by then the Freight has come to the last of them. */ -}}
  {{- range $name := $inherits -}}
    {{- range (get $stages $name).upstream }}{{ $_ := set $taken $name (concat (get $taken $name) (get $taken . | default list) | uniq) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- else -}}
{{- range $inherits }}{{ $_ := set $taken . $first }}{{ end -}}
{{- end -}}
{{- $freight := dict -}}
{{- range $name, $stage := $stages -}}
  {{- $requests := list -}}
  {{- range $key := $keys -}}
  {{- if has $key (get $taken $name) -}}
    {{- $path := printf "stages.%s" $name -}}
    {{- $given := get ($stage.requestedFreight | default dict) $key -}}
    {{- if kindIs "map" $given }}{{ $path = printf "%s.requestedFreight.%s" $path $key }}{{ else }}{{ $given = dict }}{{ end -}}
    {{- $direct := $given.direct -}}
    {{- $upstream := $given.upstream | default list -}}
    {{- if not (or $direct $upstream) -}}
      {{- /* `direct` beside upstream, the way for hotfixes, is from the first Warehouse. */ -}}
      {{- $isNot := and (kindIs "bool" $given.direct) (not $given.direct) -}}
      {{- $direct = and (not $isNot) (or (not $stage.upstream) (and $stage.direct (or $stage.requestedFreight (has $key $first)))) -}}
      {{- range $stage.upstream }}{{ if or (le (len $keys) 1) (not (hasKey $taken .)) (has $key (get $taken .)) }}{{ $upstream = append $upstream . }}{{ end }}{{ end -}}
    {{- end -}}
    {{- $request := dict "key" $key "path" $path "direct" (not (empty $direct)) "upstream" $upstream -}}
    {{- range $setting := list "requiredSoakTime" "availabilityStrategy" "selectionPolicy" -}}
      {{- $_ := set $request $setting (get $given $setting | default (get $stage $setting)) -}}
    {{- end -}}
    {{- $requests = append $requests $request -}}
  {{- end -}}
  {{- end -}}
  {{- $_ := set $freight $name $requests -}}
{{- end -}}
{{- toJson $freight -}}
{{- end -}}
