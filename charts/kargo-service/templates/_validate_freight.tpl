{{/*
The Warehouses, and the Freight that stages take from them. kargo-fleet has the same rules and messages in
tools/kargo_fleet/unit/freight_rules.py. Takes the root context.
*/}}
{{- define "kargo-service.validate.freight" -}}
{{- $warehouses := .Values.unit.warehouses -}}
{{- $stages := .Values.unit.stages -}}
{{- $several := or (gt (len $warehouses) 1) (not (hasKey $warehouses "main")) -}}
{{- $known := keys $warehouses | sortAlpha | include "kargo-service.enumerate" -}}
{{- if not $warehouses }}
warehouse.subscriptions: is empty, and image is null; a Warehouse needs at least one subscription
{{- end }}
{{- if (.Values.warehouses).main }}
warehouses.main: is the name of the Warehouse that image and warehouse describe; use another name
{{- end }}
{{- $names := dict }}
{{- with $warehouses.main }}{{ $_ := set $names .name true }}{{ end }}
{{- range $key, $warehouse := omit $warehouses "main" }}
{{- if hasKey $names $warehouse.name }}
warehouses.{{ $key }}.name: {{ quote $warehouse.name }} is the name of another Warehouse
{{- end }}
{{- $_ := set $names $warehouse.name true }}
{{- if not $warehouse.all }}
warehouses.{{ $key }}: has no subscriptions; set image, git, chart or subscriptions
{{- end }}
{{- end }}
{{- $taken := dict }}
{{- $direct := dict }}
{{- range $name, $stage := $stages }}
{{- $keys := list }}
{{- range $stage.freight }}
{{- $keys = append $keys .key }}
{{- if .direct }}{{ $_ := set $direct .key true }}{{ end }}
{{- end }}
{{- $_ := set $taken $name $keys }}
{{- end }}
{{- range $name, $stage := $stages }}
{{- range $key, $request := $stage.requestedFreight }}
{{- $path := printf "stages.%s.requestedFreight.%s" $name $key }}
{{- if and (not (kindIs "invalid" $request)) (not (hasKey $warehouses $key)) }}
{{ $path }}: {{ quote $key }} is not a Warehouse of this service; it has {{ $known }}
{{- end }}
{{- range $index, $source := ($request).upstream }}
{{- if and (hasKey $stages $source) (ne $source $name) (hasKey $warehouses $key) (not (has $key (get $taken $source))) }}
{{ $path }}.upstream[{{ $index }}]: stage {{ $source }} takes no Freight from Warehouse {{ $key }}
{{- end }}
{{- end }}
{{- end }}
{{- range $stage.freight }}
{{- if not (or .direct .upstream) }}
{{- $sources := list }}
{{- range $stage.upstream }}{{ if hasKey $stages . }}{{ $sources = append $sources . }}{{ end }}{{ end }}
{{ .path }}: no upstream stage of {{ $name }} takes Freight from Warehouse {{ .key }}; {{ if $sources }}add it to requestedFreight of {{ include "kargo-service.enumerate" $sources }}{{ else }}set direct: true, or upstream{{ end }}
{{- end }}
{{- end }}
{{- if and $warehouses (not $stage.freight) (not $stage.requestedFreight) (not $stage.upstream) }}
stages.{{ $name }}.requestedFreight: is required, as no Warehouse is the first; there are {{ $known }}
{{- end }}
{{- $with := list }}
{{- range $stage.freight }}{{ $key := .key }}{{ range (get $warehouses $key).all }}{{ if and .subscription.image (eq (.subscription.image).repoURL ($.Values.image).repoURL) }}{{ $with = append $with $key }}{{ end }}{{ end }}{{ end }}
{{- $with = uniq $with }}
{{- if and (gt (len $with) 1) (ne (len $with) (len $stage.freight)) (include "kargo-service.hasDefaultSteps" $stage) }}
{{- $others := list }}
{{- range get $taken $name }}{{ if not (has . $with) }}{{ $others = append $others . }}{{ end }}{{ end }}
stages.{{ $name }}.requestedFreight: {{ include "kargo-service.enumerate" $with }} have the service's image, not so {{ include "kargo-service.enumerate" $others }}, so that a promotion cannot tell which image to write; use a stage for each
{{- end }}
{{- end }}
{{- range $key, $_ := $warehouses }}
{{- if and $stages (not (hasKey $direct $key)) }}
{{- if $several }}
{{ ternary "warehouse" (printf "warehouses.%s" $key) (eq $key "main") }}: no stage takes Freight directly from Warehouse {{ $key }}; add requestedFreight: {{ printf "{%s: {direct: true}}" $key }} to a stage
{{- else }}
stages: no stage takes Freight directly from the Warehouse; a stage without upstream, or with direct: true, is required
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
