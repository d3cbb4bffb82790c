{{/*
What selects commits and Freight: patterns of paths, and expressions. kargo-fleet has the same rules and messages in
tools/kargo_fleet/unit/selections.py. Takes the root context.
*/}}
{{- define "kargo-service.validate.selections" -}}
{{- range $warehouse := .Values.unit.warehouses }}
{{- with ($warehouse.given.freightCreationCriteria).expression }}
{{- include "kargo-service.validate.expression" (dict "path" (printf "%s.freightCreationCriteria.expression" $warehouse.path) "expression" .) }}
{{- end }}
{{- range $one := $warehouse.all }}
{{- with $one.subscription.git }}
{{- $path := ternary (printf "%s.git" $one.path) $one.path (hasSuffix "]" $one.path) }}
{{- with .expressionFilter }}
{{- include "kargo-service.validate.expression" (dict "path" (printf "%s.expressionFilter" $path) "expression" .) }}
{{- end }}
{{- range $key := list "includePaths" "excludePaths" }}
{{- range $index, $pattern := get $one.subscription.git $key | default list }}
{{- $text := regexReplaceAll `^(glob|regexp?):` $pattern "" }}
{{- if and (regexMatch `^regexp?:` $pattern) (not (regexMatch (printf "|%s" $text) "")) }}
{{ $path }}.{{ $key }}[{{ $index }}]: {{ quote $pattern }} is not a Go regular expression (RE2: no lookarounds, no backreferences)
{{- else if and (hasPrefix "glob:" $pattern) (not (include "kargo-service.isGlob" $text)) }}
{{ $path }}.{{ $key }}[{{ $index }}]: {{ quote $pattern }} is not a glob; [ and { have to be closed, and \ stands before another character
{{- else if hasPrefix "/" $pattern }}
{{ $path }}.{{ $key }}[{{ $index }}]: {{ quote $pattern }} matches nothing; paths start at the root of the repository, without /
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
An expression that stands without ${{"{{"}} }}. Takes a dict: path, expression.
*/}}
{{- define "kargo-service.validate.expression" -}}
{{- if regexMatch `^\s*\$\{\{` .expression }}
{{ .path }}: is an expression already; write it without {{ `${{ }}` }}
{{- else }}
{{- /* Comments and strings out, then all pairs of brackets: what is left matches nothing. */}}
{{- $literal := printf `(?s)//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|%s[^%s]*%s` "`" "`" "`" }}
{{- $left := regexReplaceAll (printf "[^][(){}'\"%s]" "`") (regexReplaceAll $literal .expression "") "" }}
{{- if include "kargo-service.withoutPairs" (dict "text" $left "pair" `\(\)|\[\]|\{\}`) }}
{{ .path }}: has quotes or brackets that do not match
{{- end }}
{{- end }}
{{- end -}}

{{/*
What is left of a string when pairs are removed for as long as there are some. Takes a dict: text, pair (a regular expression).
*/}}
{{- define "kargo-service.withoutPairs" -}}
{{- $text := .text -}}
{{- range until (len $text) }}{{ if regexMatch $.pair $text }}{{ $text = regexReplaceAll $.pair $text "" }}{{ end }}{{ end -}}
{{- $text -}}
{{- end -}}

{{/*
Whether a string is a glob of github.com/bmatcuk/doublestar, as its ValidatePattern says. Takes a string; returns "true" or nothing.
*/}}
{{- define "kargo-service.isGlob" -}}
{{- $plain := regexReplaceAll `(?s)\\.` . "x" -}}
{{- $plain = regexReplaceAll `\[(?:[!^][^\]]+|[^!^\]][^\]]*)\]` $plain "x" -}}
{{- $braces := include "kargo-service.withoutPairs" (dict "text" (regexReplaceAll `[^{}]` $plain "") "pair" `\{\}`) -}}
{{- if not (or $braces (contains "[" $plain) (contains `\` $plain)) }}true{{ end -}}
{{- end -}}
