{{/*
Rules that span keys, or need more than a JSON schema. Each kargo-service.validate.* returns one line per mistake, `key: what
is wrong; what is allowed`; nothing when there are none. templates/validate.yaml fails with all of them at once. kargo-fleet
has the same rules and messages (tools/kargo_fleet/unit/rules.py); tests/unit/test_rules.py compares the two.
*/}}

{{/*
The service's name, which becomes a namespace's. Takes the root context.
*/}}
{{- define "kargo-service.validate.service" -}}
{{- $name := include "kargo-service.name" . -}}
{{- if or (gt (len $name) 57) (not (regexMatch `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$` $name)) }}
service.name: {{ quote $name }} is not a DNS label of at most 57 characters (a-z, 0-9 and -); the Project is named kargo-<service>
{{- else if has $name (list "cluster-secrets" "shared-resources" "system-resources") }}
service.name: {{ quote $name }} is reserved; Kargo itself uses the namespace kargo-{{ $name }}
{{- end }}
{{- end -}}

{{/*
Whether Masterminds/semver accepts a string as a constraint: its grammar, from constraints.go of v3.4.0. Takes a string.
Returns "true" or nothing. validate.yaml also calls the library itself, but the library's message names no key.
*/}}
{{- define "kargo-service.isConstraint" -}}
{{- /* Nearly all are this simple, and the grammar takes long to compile. */ -}}
{{- if regexMatch `^[~^]?[0-9]{1,9}[.][0-9]{1,9}[.][0-9]{1,9}$` . }}true{{ else -}}
{{- /* A range, 1.2 - 1.4, is matched with the library's own pattern, which accepts more than the library parses afterwards. */ -}}
{{- $any := `v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?` -}}
{{- $range := printf `\s*(%s)\s+-\s+(%s)\s*` $any $any -}}
{{- $numbers := `[xX*](\.[0-9|xX*]+){0,2}|[0-9]+(\.[xX*](\.[0-9|xX*]+)?|\.[0-9]+(\.[xX*]|\.[0-9]+)?)?` -}}
{{- $identifier := `(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)` -}}
{{- $version := printf `v?(%s)(-%s(\.%s)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?` $numbers $identifier $identifier -}}
{{- $operator := `(=||!=|>|<|>=|=>|<=|=<|~|~>|\^)` -}}
{{- $segment := printf `^\s*%s\s*%s\s*((\s+|,\s*)%s\s*%s\s*)*$` $operator $version $operator $version -}}
{{- $valid := true -}}
{{- range regexReplaceAll $range . ">= ${1}, <= ${11} " | splitList "||" -}}
  {{- $valid = and $valid (regexMatch $segment .) -}}
{{- end -}}
{{- if $valid }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/*
What the Warehouses subscribe to: constraints, regular expressions, charts. Takes the root context.
*/}}
{{- define "kargo-service.validate.image" -}}
{{- $own := (.Values.image).repoURL | default "" -}}
{{- if and (kindIs "map" .Values.image) (not $own) }}
image.repoURL: is required; for example registry.example.com/nginx
{{- end }}
{{- range $key, $warehouse := .Values.unit.warehouses }}
{{- $seen := list }}
{{- range $warehouse.all }}
{{- $isShort := not (hasSuffix "]" .path) }}
{{- $context := dict "path" .path "isShort" $isShort "subscription" .subscription "own" "" }}
{{- if and $own (has "own" $seen) }}{{ $_ := set $context "own" $own }}{{ end }}
{{- include "kargo-service.validate.subscription" $context }}
{{- with .subscription.image }}
{{- if eq (include "kargo-service.imageIdentity" (.repoURL | default "")) (include "kargo-service.imageIdentity" $own) }}{{ $seen = append $seen "own" }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
One subscription. Takes a dict: path, isShort (whether it is written with the keys of image, git or chart), subscription, own (the
service's image, where the Warehouse already subscribes to it).
*/}}
{{- define "kargo-service.validate.subscription" -}}
{{- $own := .own -}}
{{- range $kind, $given := omit .subscription "name" }}
{{- $path := ternary $.path (printf "%s.%s" $.path $kind) $.isShort }}
{{- $constraint := get $given (ternary "constraint" "semverConstraint" (eq $kind "image")) | default "" }}
{{- $strategy := $given.imageSelectionStrategy | default "SemVer" }}
{{- if and (not $given.repoURL) (ne $path "image") }}
{{ $path }}.repoURL: is required{{ if and $.isShort (ne $kind "chart") }}, as {{ $kind }}.repoURL is empty{{ end }}
{{- end }}
{{- range $setting := list "repoURL" "branch" }}
{{- if and $.isShort (eq $kind "git") (contains "<stage>" (get $given $setting | default "")) }}
{{ $path }}.{{ $setting }}: is required, as git.{{ $setting }} differs between stages
{{- end }}
{{- end }}
{{- if and (eq $kind "image") $own (eq (include "kargo-service.imageIdentity" ($given.repoURL | default "")) (include "kargo-service.imageIdentity" $own)) }}
{{ $path }}.repoURL: {{ quote $given.repoURL }} is the service's own image, to which the Warehouse already subscribes
{{- end }}
{{- if and (eq $strategy "SemVer") $constraint (not (include "kargo-service.isConstraint" $constraint)) }}
{{ $path }}.{{ ternary "constraint" "semverConstraint" (eq $kind "image") }}: {{ quote $constraint }} is not a semver constraint such as ^1.0.0, ~1.2.0, >=1.2.0 <3.0.0 or *{{ if and $.isShort (eq $kind "image") }}; a mutable tag needs imageSelectionStrategy: Digest{{ end }}
{{- /* constraints.go of v3.5.0, MaxConstraintGroups; the schema has the limit for the length. */}}
{{- else if and (eq $strategy "SemVer") (gt (splitList "||" $constraint | len) 32) }}
{{ $path }}.{{ ternary "constraint" "semverConstraint" (eq $kind "image") }}: has {{ splitList "||" $constraint | len }} alternatives (||); Kargo 1.11.4 and newer accept at most 32
{{- else if and (eq $strategy "Digest") (not (regexMatch `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$` $constraint)) }}
{{ $path }}.constraint: {{ quote $constraint }} is not a tag name such as latest, which imageSelectionStrategy: Digest requires
{{- end }}
{{- range $key := list "allowTagsRegexes" "ignoreTagsRegexes" }}
{{- range $index, $regex := get $given $key | default list }}
{{- /* An invalid expression makes regexMatch false even for an empty string that `|…` would match. */}}
{{- if not (regexMatch (printf "|%s" $regex) "") }}
{{ $path }}.{{ $key }}[{{ $index }}]: {{ quote $regex }} is not a Go regular expression (RE2: no lookarounds, no backreferences)
{{- end }}
{{- end }}
{{- end }}
{{- if eq $kind "chart" }}
{{- $url := $given.repoURL | default "" }}
{{- if and (hasPrefix "oci://" $url) $given.name }}
{{ $path }}.name: must be empty; an oci:// URL already names the chart
{{- else if and (hasPrefix "http" $url) (not $given.name) }}
{{ $path }}.name: is required; an https:// URL names a repository, not a chart
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
The order of the stages: the sources of their Freight. Takes the root context.
*/}}
{{- define "kargo-service.validate.pipeline" -}}
{{- $stages := .Values.unit.stages -}}
{{- $names := keys $stages | sortAlpha -}}
{{- $waiting := dict -}}
{{- if not $names }}
stages: is empty; a pipeline needs at least one stage
{{- end }}
{{- range $name, $stage := $stages }}
{{- $sources := $stage.upstream | default list }}
{{- include "kargo-service.validate.upstream" (dict "path" (printf "stages.%s" $name) "name" $name "stages" $stages "upstream" $sources) }}
{{- range $key, $request := $stage.requestedFreight }}
{{- include "kargo-service.validate.upstream" (dict "path" (printf "stages.%s.requestedFreight.%s" $name $key) "name" $name "stages" $stages "upstream" ($request).upstream) }}
{{- $sources = concat $sources (($request).upstream | default list) }}
{{- end }}
{{- $_ := set $waiting $name (without (uniq $sources) $name) }}
{{- range $stage.freight }}
{{- if and (eq (.selectionPolicy | default "") "MatchUpstream") (or .direct (ne (len .upstream) 1)) }}
{{ .path }}.selectionPolicy: "MatchUpstream" requires exactly one upstream stage and no direct Freight from the Warehouse
{{- end }}
{{- end }}
{{- end }}
{{- include "kargo-service.validate.freight" . }}
{{- /* Remove stages without upstream or downstream stages until nothing changes: what remains are the cycles. */}}
{{- range $names }}
{{- range $name, $upstream := $waiting }}
{{- $left := list }}
{{- range $upstream }}{{ if hasKey $waiting . }}{{ $left = append $left . }}{{ end }}{{ end }}
{{- $waitedFor := false }}
{{- range $other, $sources := $waiting }}{{ if has $name $sources }}{{ $waitedFor = true }}{{ end }}{{ end }}
{{- if or (not $left) (not $waitedFor) }}{{ $_ := unset $waiting $name }}{{ end }}
{{- end }}
{{- end }}
{{- with keys $waiting | sortAlpha }}
stages: {{ include "kargo-service.enumerate" . }} form a cycle; upstream must not lead back to the same stage
{{- end }}
{{- end -}}

{{/*
A list of upstream stages. Takes a dict: path, name (of the stage), stages, upstream.
*/}}
{{- define "kargo-service.validate.upstream" -}}
{{- range $index, $source := .upstream }}
{{- if eq $source $.name }}
{{ $.path }}.upstream[{{ $index }}]: {{ quote $source }} is the stage itself
{{- else if not (hasKey $.stages $source) }}
{{ $.path }}.upstream[{{ $index }}]: {{ quote $source }} is not a stage of this service; it has {{ include "kargo-service.enumerate" (keys $.stages | sortAlpha) }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
How each stage is promoted, and the Git repository that this requires. Takes the root context.
*/}}
{{- define "kargo-service.validate.promotion" -}}
{{- $root := . -}}
{{- $writers := list -}}
{{- $homeless := list -}}
{{- range $name, $stage := .Values.unit.stages }}
{{- $promotion := $stage.promotion }}
{{- $git := $stage.git }}
{{- range $variable, $_ := $stage.vars }}
{{- if has $variable (include "kargo-service.reservedVars" $root | splitList " ") }}
stages.{{ $name }}.vars.{{ $variable }}: is set by the chart; use another name
{{- end }}
{{- end }}
{{- if and ($promotion.steps).replace ($promotion.task).name }}
stages.{{ $name }}.promotion: steps.replace and task.name are mutually exclusive
{{- end }}
{{- if include "kargo-service.hasDefaultSteps" $stage }}
{{- if and (not $git.repoURL) (hasKey ((get $root.Values.stages $name).git | default dict) "repoURL") }}
stages.{{ $name }}.git.repoURL: is required; for example https://github.com/example/gitops.git
{{- else if not $git.repoURL }}{{ $homeless = append $homeless $name }}{{ end }}
{{- range $key, $kinds := $promotion.updates }}
{{- $given := list }}
{{- range $kind, $update := $kinds }}{{ if kindIs "map" $update }}{{ $given = append $given $kind }}{{ end }}{{ end }}
{{- if gt (len $given) 1 }}
stages.{{ $name }}.promotion.updates.{{ $key }}: has {{ include "kargo-service.enumerate" $given }}; only one is allowed
{{- end }}
{{- end }}
{{- $updates := include "kargo-service.updates" $stage | fromJson }}
{{- $targets := list }}
{{- if include "kargo-service.writesValuesFile" $stage }}{{ $targets = list (list "path" $promotion.path) }}{{ end }}
{{- range $key, $update := $updates }}
{{- $targets = append $targets (list (printf "updates.%s.%s.path" $key $update.kind) $update.target) }}
{{- include "kargo-service.validate.update" (dict "path" (printf "stages.%s.promotion.updates.%s.%s" $name $key $update.kind) "stage" $stage "update" $update) }}
{{- end }}
{{- $written := dict }}
{{- if include "kargo-service.writesValuesFile" $stage }}
{{- range list (include "kargo-service.tagKey" $stage) ($promotion.digestKey | default "") }}{{ $_ := set $written (printf "%s %s" $promotion.path .) true }}{{ end }}
{{- end }}
{{- range $key, $update := $updates }}
{{- range $written_key, $what := ternary $update.keys dict (eq $update.kind "yaml") }}
{{- if $what }}
{{- $place := printf "%s %s" $update.path $written_key }}
{{- if hasKey $written $place }}
stages.{{ $name }}.promotion.updates.{{ $key }}.yaml.keys.{{ $written_key }}: is written twice in {{ $update.path }}; keep one of the two
{{- end }}
{{- $_ := set $written $place true }}
{{- end }}
{{- end }}
{{- end }}
{{- $branch := $git.branch }}
{{- with $promotion.render.kind }}
{{- $branch = $promotion.render.branch }}
{{- $targets = list (list "render.outPath" ($promotion.render.outPath | default ".")) }}
{{- include "kargo-service.validate.render" (dict "path" (printf "stages.%s.promotion.render" $name) "root" $root "stage" $stage) }}
{{- end }}
{{- range $targets }}
{{- $target := index . 1 }}
{{- $place := printf "%s %s /%s/" (include "kargo-service.gitIdentity" $git.repoURL) $branch $target | replace "/./" "/" }}
{{- $writer := dict "stage" $name "place" $place "target" $target "isFolder" (not (empty $promotion.render.kind)) }}
{{- $other := include "kargo-service.otherWriter" (dict "writers" $writers "writer" $writer) | fromJson }}
{{- if $other }}
stages.{{ $name }}.promotion.{{ index . 0 }}: stage {{ $other.stage }} also writes {{ $other.target }} on branch {{ $branch }}; each stage needs its own {{ ternary "folder" "file" (or $writer.isFolder $other.isFolder) }} or branch
{{- else }}{{ $writers = append $writers $writer }}{{ end }}
{{- end }}
{{- if and $stage.freight (not (or $targets ($promotion.steps).beforeCommit)) }}
stages.{{ $name }}.promotion.{{ if $stage.imageFrom }}tagKey: is empty, and so are digestKey and updates; at least one is required, or a step in steps.beforeCommit{{ else }}updates: is empty, and the stage has no image to write; something to write is required, or a step in steps.beforeCommit{{ end }}
{{- end }}
{{- $pullRequest := $promotion.pullRequest | default dict }}
{{- if and $pullRequest.enabled $git.repoURL }}
{{- if not (hasPrefix "http" $git.repoURL) }}
stages.{{ $name }}.promotion.pullRequest.enabled: requires git.repoURL with https://; pull requests use the provider's API, which does not accept SSH keys
{{- else }}
{{- include "kargo-service.validate.pullRequest" (dict "stage" $name "pullRequest" $pullRequest "repoURL" $git.repoURL) }}
{{- end }}
{{- end }}
{{- end }}
{{- if ((get $root.Values.stages $name).git).author }}
{{- include "kargo-service.validate.author" (dict "path" (printf "stages.%s.git.author" $name) "author" $git.author) }}
{{- end }}
{{- if include "kargo-service.hasOwnSteps" $stage }}{{ include "kargo-service.validate.steps" $stage }}{{ end }}
{{- end }}
{{- if $homeless }}
git.repoURL: is required; for example https://github.com/example/gitops.git
{{- end }}
{{- include "kargo-service.validate.author" (dict "path" "git.author" "author" (.Values.git).author) }}
{{- end -}}

{{/*
What one of promotion.updates writes. Takes a dict: path, stage, update; in, if that is not `keys`.
*/}}
{{- define "kargo-service.validate.update" -}}
{{- $words := list -}}
{{- range $key, $what := .update.keys }}{{ if $what }}{{ $words = append $words (list (printf "%s.%s" ($.in | default "keys") $key) $what) }}{{ end }}{{ end -}}
{{- if eq .update.kind "kustomize" }}{{ $words = list (list "path" "tag") }}{{ end -}}
{{- if eq .update.kind "helmDependency" }}
{{- $words = list (list "version" (.update.version | default "chartVersion")) }}
{{- include "kargo-service.validate.helmDependency" . }}
{{- end }}
{{- range $words }}
{{- $what := index . 1 }}
{{- if and (has $what (list "tag" "digest" "image" "imageDigest")) (not $.stage.imageFrom) }}
{{ $.path }}.{{ index . 0 }}: needs the service's image, which no Warehouse of this stage has
{{- else if and (eq $what "chartVersion") (not $.stage.chartFrom) }}
{{ $.path }}.{{ index . 0 }}: needs exactly one chart that the stage's Warehouses subscribe to; else use an expression such as ${{"{{"}} chartFrom("oci://registry.example.com/charts/app").Version {{"}}"}}
{{- else if and (eq $what "commitID") (not $.stage.commitFrom) }}
{{ $.path }}.{{ index . 0 }}: needs exactly one Git repository that the stage's Warehouses subscribe to; else use an expression such as ${{"{{"}} commitFrom("https://github.com/example/config.git").ID {{"}}"}}
{{- end }}
{{- end }}
{{- end -}}

{{/*
The author of commits. Takes a dict: path, author.
*/}}
{{- define "kargo-service.validate.author" -}}
{{- if ne (empty (.author).name) (empty (.author).email) }}
{{ .path }}: has a {{ ternary "name" "email" (empty (.author).email) }} but no {{ ternary "email" "name" (empty (.author).email) }}; set both or neither
{{- else if and (.author).signingKey (not (.author).name) }}
{{ .path }}.signingKey: requires git.author.name and git.author.email
{{- end }}
{{- end -}}

{{/*
Names and aliases of the steps of one stage. Takes the stage.
*/}}
{{- define "kargo-service.validate.steps" -}}
{{- $steps := .promotion.steps | default dict -}}
{{- $stage := .name -}}
{{- $known := include "kargo-service.knownSteps" .promotion.customSteps | fromJsonArray -}}
{{- $aliases := dict -}}
{{- if include "kargo-service.hasDefaultSteps" . -}}
  {{- range list "update" "commit" "push" }}{{ $_ := set $aliases . true }}{{ end -}}
  {{- if .promotion.render.kind }}{{ $_ := set $aliases "render" true }}{{ end -}}
  {{- range $name, $_ := .promotion.updates }}{{ $_ := set $aliases (printf "update-%s" $name) true }}{{ end -}}
  {{- if (.promotion.pullRequest).enabled -}}
    {{- range list "open-pr" (ternary "merge-pr" "wait-for-pr" (eq .promotion.pullRequest.merge true)) }}{{ $_ := set $aliases . true }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- range $list := include "kargo-service.ownStepLists" . | splitList " " }}
{{- include "kargo-service.validate.stepList" (dict "path" (printf "stages.%s.promotion.steps.%s" $stage $list) "steps" (get $steps $list | default list) "known" $known "aliases" $aliases) }}
{{- end }}
{{- end -}}

{{/*
Names and aliases of a list of steps. Takes a dict: path, steps, known (names of steps), aliases (of the steps before them, to which
it adds).
*/}}
{{- define "kargo-service.validate.stepList" -}}
{{- $known := .known -}}
{{- $aliases := .aliases -}}
{{- $path := .path -}}
{{- range $index, $step := .steps }}
{{- $key := printf "%s[%d]" $path $index }}
{{- if and $step.uses (not (has $step.uses $known)) }}
{{ $key }}.uses: {{ quote $step.uses }} is not a promotion step of Kargo; if this installation has it, add it to promotion.customSteps
{{- end }}
{{- if $step.task }}
{{- range $field := list "if" "continueOnError" "retry" "config" }}
{{- if get $step $field }}
{{ $key }}.{{ $field }}: is not allowed in a step that runs a task; only as and vars are allowed
{{- end }}
{{- end }}
{{- end }}
{{- with $step.as }}
{{- if regexMatch `^(step|task)-[0-9]+$` . }}
{{ $key }}.as: {{ quote . }} is reserved by Kargo
{{- else if hasKey $aliases . }}
{{ $key }}.as: {{ quote . }} is the alias of another step
{{- end }}
{{- $_ := set $aliases . true }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
The access rules. Takes the root context.
*/}}
{{- define "kargo-service.validate.rbac" -}}
{{- $stages := .Values.unit.stages -}}
{{- $names := keys $stages | sortAlpha -}}
{{- range $key, $given := (.Values.rbac).bindings }}
{{- if not (kindIs "invalid" $given) }}
{{- $binding := $given | default dict }}
{{- if and $binding.role $binding.roleRef }}
rbac.bindings.{{ $key }}: role and roleRef are mutually exclusive
{{- else if not (or $binding.role $binding.roleRef) }}
rbac.bindings.{{ $key }}: requires role (admin, promoter or viewer) or roleRef
{{- end }}
{{- $claims := false }}
{{- range $binding.claims }}{{ if . }}{{ $claims = true }}{{ end }}{{ end }}
{{- if not (or $binding.groups $binding.users $binding.serviceAccounts $claims) }}
rbac.bindings.{{ $key }}: has no subjects; set groups, users, serviceAccounts or claims
{{- end }}
{{- if and $binding.stages (ne ($binding.role | default "") "promoter") }}
rbac.bindings.{{ $key }}.stages: requires role: promoter
{{- end }}
{{- range $index, $stage := $binding.stages }}
{{- if not (hasKey $stages $stage) }}
rbac.bindings.{{ $key }}.stages[{{ $index }}]: {{ quote $stage }} is not a stage of this service; it has {{ include "kargo-service.enumerate" $names }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
Placeholders that nothing replaces, in keys that name something: Kargo would take `<svc>` for a part of the name. What the
schema refuses does not get here. Takes the root context.
*/}}
{{- define "kargo-service.validate.placeholders" -}}
{{- /* Nearly all services have no others than the chart's defaults, so that nothing has to be looked at one by one. */ -}}
{{- $values := omit .Values "unit" -}}
{{- $text := toJson $values -}}
{{- range list "<stage>" "<version>" -}}
  {{- $text = $text | replace (. | replace "<" `\u003c` | replace ">" `\u003e`) "" -}}
{{- end -}}
{{- if contains `\u003c` $text }}
{{- include "kargo-service.validate.names" (dict "path" "" "value" $values) }}
{{- else if regexMatch `\\u003cstage\\u003e` (omit $values "git" "promotion" "stages" | toJson) }}
{{- include "kargo-service.validate.names" (dict "path" "" "value" $values) }}
{{- end }}
{{- end -}}

{{/*
A regular expression of the keys that name something and whose strings the schema leaves open. In the schema they are marked with
`names`. Takes anything.
*/}}
{{- define "kargo-service.named" -}}
^((image|warehouses[.][^.]+[.]image)[.](allow|ignore)TagsRegexes[[].*|warehouses?([.][^.]+)?[.]subscriptions[[].*[.](repoURL|name|(allow|ignore)TagsRegexes[[].*|(include|exclude)Paths[[].*)
{{- ``}}|shard|(commonLabels|(namespace|project|warehouse|warehouses[.][^.]+|stages[.][^.]+)[.]labels)[.].*
{{- ``}}|warehouses[.][^.]+[.](git|chart)[.](repoURL|name|branch|(allow|ignore)TagsRegexes[[].*|(include|exclude)Paths[[].*)
{{- ``}}|(stages[.][^.]+[.])?git[.](repoURL|branch|author[.](name|email)|sparse[[].*)|stages[.][^.]+[.]branch
{{- ``}}|(stages[.][^.]+[.])?promotion[.](path|argocdUpdate[.]name|updates[.].*[.](path|name|newName|repository)|render[.](branch|outPath|(helm|kustomize)[.](path|valuesFiles[[].*|releaseName|namespace|name|newName))|tagKey|digestKey|customSteps[[].*|pullRequest[.](labels[[].*|mergeMethod))
{{- ``}}|rbac[.]bindings[.][^.]+[.](groups[[].*|users[[].*|roleRef[.]name|claims[.].*)|projectConfig[.]webhookReceivers[[].*[.]secretRef[.]name)$
{{- end -}}

{{/*
The placeholders in a value and in all that is in it. Takes a dict: path, value.
*/}}
{{- define "kargo-service.validate.names" -}}
{{- $path := .path -}}
{{- if kindIs "map" .value }}
{{- range $key, $value := .value }}
{{- include "kargo-service.validate.names" (dict "path" (ternary $key (printf "%s.%s" $path $key) (eq $path "")) "value" $value) }}
{{- end }}
{{- else if kindIs "slice" .value }}
{{- range $index, $value := .value }}
{{- include "kargo-service.validate.names" (dict "path" (printf "%s[%d]" $path $index) "value" $value) }}
{{- end }}
{{- else if kindIs "string" .value }}
{{- if regexMatch (include "kargo-service.named" .) $path }}
{{- /* Named groups of regular expressions, Kargo's expressions and what is escaped are no placeholders. */}}
{{- $text := regexReplaceAll `(?s)[(][?]P?<|[$][{][{].*?[}][}]|\\<[a-z]+>` .value "" }}
{{- $words := without (regexFindAll `<[A-Za-z][A-Za-z0-9_-]*>` $text -1) "<service>" }}
{{- $ofStage := regexMatch `^(git|promotion|stages)[.]` $path }}
{{- if $ofStage }}{{ $words = without $words "<stage>" }}{{ end }}
{{- with $words }}
{{ $path }}: {{ first . }} is not replaced here; <service> {{ if $ofStage }}and <stage> are{{ else }}is{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
