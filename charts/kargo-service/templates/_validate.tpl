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

{{/*
The image and the further subscriptions: constraints, regular expressions, charts. Takes the root context.
*/}}
{{- define "kargo-service.validate.image" -}}
{{- $image := .Values.image | default dict -}}
{{- $strategy := $image.imageSelectionStrategy | default "SemVer" -}}
{{- if not $image.repoURL }}
image.repoURL: is required; for example registry.example.com/nginx
{{- end }}
{{- if and (eq $strategy "SemVer") $image.constraint (not (include "kargo-service.isConstraint" $image.constraint)) }}
image.constraint: {{ quote $image.constraint }} is not a semver constraint such as ^1.0.0, ~1.2.0, >=1.2.0 <3.0.0 or *; a mutable tag needs imageSelectionStrategy: Digest
{{- else if and (eq $strategy "Digest") (not (regexMatch `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$` ($image.constraint | default ""))) }}
image.constraint: {{ $image.constraint | default "" | quote }} is not a tag name such as latest, which imageSelectionStrategy: Digest requires
{{- end }}
{{- range $key := list "allowTagsRegexes" "ignoreTagsRegexes" }}
{{- range $index, $regex := get $image $key | default list }}
{{- /* An invalid expression makes regexMatch false even for an empty string that `|…` would match. */}}
{{- if not (regexMatch (printf "|%s" $regex) "") }}
image.{{ $key }}[{{ $index }}]: {{ quote $regex }} is not a Go regular expression (RE2: no lookarounds, no backreferences)
{{- end }}
{{- end }}
{{- end }}
{{- range $index, $subscription := (.Values.warehouse).subscriptions }}
{{- $subscribed := ($subscription.image).repoURL | default "" }}
{{- if and $image.repoURL $subscribed (eq (include "kargo-service.imageIdentity" $subscribed) (include "kargo-service.imageIdentity" $image.repoURL)) }}
warehouse.subscriptions[{{ $index }}].image.repoURL: {{ quote $subscribed }} is the service's own image, to which the Warehouse already subscribes
{{- end }}
{{- range $kind, $key := dict "image" "constraint" "git" "semverConstraint" "chart" "semverConstraint" }}
{{- $given := get $subscription $kind | default dict }}
{{- $constraint := get $given $key }}
{{- if and $constraint (eq ($given.imageSelectionStrategy | default "SemVer") "SemVer") (not (include "kargo-service.isConstraint" $constraint)) }}
warehouse.subscriptions[{{ $index }}].{{ $kind }}.{{ $key }}: {{ quote $constraint }} is not a semver constraint such as ^1.0.0, ~1.2.0, >=1.2.0 <3.0.0 or *
{{- end }}
{{- end }}
{{- with $subscription.chart }}
{{- if and (hasPrefix "oci://" .repoURL) .name }}
warehouse.subscriptions[{{ $index }}].chart.name: must be empty; an oci:// URL already names the chart
{{- else if and (not (hasPrefix "oci://" .repoURL)) (not .name) }}
warehouse.subscriptions[{{ $index }}].chart.name: is required; an https:// URL names a repository, not a chart
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
The order of the stages: the sources of their Freight. Takes the root context.
*/}}
{{- define "kargo-service.validate.pipeline" -}}
{{- $stages := include "kargo-service.stages" . | fromJson -}}
{{- $names := keys $stages | sortAlpha -}}
{{- $starts := list -}}
{{- $waiting := dict -}}
{{- if not $names }}
stages: is empty; a pipeline needs at least one stage
{{- end }}
{{- range $name, $stage := $stages }}
{{- $upstream := $stage.upstream | default list }}
{{- if or $stage.direct (not $upstream) }}{{ $starts = append $starts $name }}{{ end }}
{{- range $index, $source := $upstream }}
{{- if eq $source $name }}
stages.{{ $name }}.upstream[{{ $index }}]: {{ quote $source }} is the stage itself
{{- else if not (hasKey $stages $source) }}
stages.{{ $name }}.upstream[{{ $index }}]: {{ quote $source }} is not a stage of this service; it has {{ include "kargo-service.enumerate" $names }}
{{- end }}
{{- end }}
{{- $_ := set $waiting $name (without $upstream $name) }}
{{- if eq ($stage.selectionPolicy | default "") "MatchUpstream" }}
{{- if or $stage.direct (ne (len $upstream) 1) }}
stages.{{ $name }}.selectionPolicy: "MatchUpstream" requires exactly one upstream stage and no direct Freight from the Warehouse
{{- end }}
{{- end }}
{{- end }}
{{- if and $names (not $starts) }}
stages: no stage takes Freight directly from the Warehouse; a stage without upstream, or with direct: true, is required
{{- end }}
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
How each stage is promoted, and the Git repository that this requires. Takes the root context.
*/}}
{{- define "kargo-service.validate.promotion" -}}
{{- $root := . -}}
{{- $git := .Values.git | default dict -}}
{{- $writers := dict -}}
{{- $needsRepo := false -}}
{{- range $name, $stage := include "kargo-service.stages" . | fromJson }}
{{- $promotion := include "kargo-service.promotion" (dict "root" $root "stage" $name) | fromJson }}
{{- $context := dict "root" $root "stage" $name "promotion" $promotion }}
{{- range $variable, $_ := $stage.vars }}
{{- if has $variable (include "kargo-service.reservedVars" $root | splitList " ") }}
stages.{{ $name }}.vars.{{ $variable }}: is set by the chart; use another name
{{- end }}
{{- end }}
{{- if and ($promotion.steps).replace ($promotion.task).name }}
stages.{{ $name }}.promotion: steps.replace and task.name are mutually exclusive
{{- end }}
{{- if include "kargo-service.hasDefaultSteps" $promotion }}
{{- $needsRepo = true }}
{{- if include "kargo-service.writesValuesFile" $promotion }}
{{- $target := printf "%s on branch %s" (include "kargo-service.path" $context) (include "kargo-service.branch" $context) }}
{{- if hasKey $writers $target }}
stages.{{ $name }}.promotion.path: stage {{ get $writers $target }} also writes {{ $target }}; each stage needs its own file or branch
{{- else }}{{ $_ := set $writers $target $name }}{{ end }}
{{- end }}
{{- $updates := include "kargo-service.updates" $context | fromJson }}
{{- range $key, $update := $updates }}
{{- $target := printf "%s on branch %s" $update.path (include "kargo-service.branch" $context) }}
{{- if and (hasKey $writers $target) (ne (get $writers $target) $name) }}
stages.{{ $name }}.promotion.updates.{{ $key }}.{{ $update.kind }}.path: stage {{ get $writers $target }} also writes {{ $target }}; each stage needs its own file or branch
{{- else }}{{ $_ := set $writers $target $name }}{{ end }}
{{- end }}
{{- if not (or (include "kargo-service.writesValuesFile" $promotion) $updates ($promotion.steps).beforeCommit) }}
stages.{{ $name }}.promotion.tagKey: is empty, and so are digestKey and updates; at least one is required, or a step in steps.beforeCommit
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
{{- include "kargo-service.validate.steps" $context }}
{{- end }}
{{- if and $needsRepo (not $git.repoURL) }}
git.repoURL: is required; for example https://github.com/example/gitops.git
{{- end }}
{{- if ne (empty ($git.author).name) (empty ($git.author).email) }}
git.author: has a {{ ternary "name" "email" (empty ($git.author).email) }} but no {{ ternary "email" "name" (empty ($git.author).email) }}; set both or neither
{{- else if and ($git.author).signingKey (not ($git.author).name) }}
git.author.signingKey: requires git.author.name and git.author.email
{{- end }}
{{- end -}}

{{/*
Names and aliases of the steps of one stage. Takes a dict: root, stage, promotion.
*/}}
{{- define "kargo-service.validate.steps" -}}
{{- $steps := .promotion.steps | default dict -}}
{{- $stage := .stage -}}
{{- $known := concat (include "kargo-service.builtinSteps" . | splitList "\n" | join " " | splitList " ") (.promotion.customSteps | default list) -}}
{{- $aliases := dict -}}
{{- if include "kargo-service.hasDefaultSteps" .promotion -}}
  {{- range list "update" "commit" "push" }}{{ $_ := set $aliases . true }}{{ end -}}
  {{- range $name, $_ := .promotion.updates }}{{ $_ := set $aliases (printf "update-%s" $name) true }}{{ end -}}
  {{- if (.promotion.pullRequest).enabled -}}
    {{- range list "open-pr" (ternary "merge-pr" "wait-for-pr" (eq .promotion.pullRequest.merge true)) }}{{ $_ := set $aliases . true }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- range $list := ternary (list "replace") (list "before" "beforeCommit" "after") (not (empty $steps.replace)) }}
{{- range $index, $step := get $steps $list | default list }}
{{- $key := printf "stages.%s.promotion.steps.%s[%d]" $stage $list $index }}
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
{{- end }}
{{- end -}}

{{/*
The access rules. Takes the root context.
*/}}
{{- define "kargo-service.validate.rbac" -}}
{{- $stages := include "kargo-service.stages" . | fromJson -}}
{{- $names := keys $stages | sortAlpha -}}
{{- range $key, $given := (.Values.rbac).bindings }}
{{- if not (kindIs "invalid" $given) }}
{{- $binding := $given | default dict }}
{{- if and $binding.role $binding.roleRef }}
rbac.bindings.{{ $key }}: role and roleRef are mutually exclusive
{{- else if not (or $binding.role $binding.roleRef) }}
rbac.bindings.{{ $key }}: requires role (admin, promoter or viewer) or roleRef
{{- end }}
{{- if not (or $binding.groups $binding.users $binding.serviceAccounts $binding.claims) }}
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
{{- $text := toJson .Values -}}
{{- range list "services/<service>/values-<stage>.yaml" "<service>: promote <stage> to <version>" "<service>-<stage>" -}}
  {{- $text = $text | replace (. | replace "<" `\u003c` | replace ">" `\u003e`) "" -}}
{{- end -}}
{{- if contains `\u003c` $text }}
{{- include "kargo-service.validate.names" (dict "path" "" "value" .Values) }}
{{- end }}
{{- end -}}

{{/*
Regular expressions of the keys that name something and whose strings the schema leaves open, and of those in which
<service> and <stage> are replaced. In the schema they are marked with `names`. Takes anything.
*/}}
{{- define "kargo-service.patterned" -}}
^((stages[.][^.]+[.])?promotion[.](path|argocdUpdate[.]name|updates[.].*[.](path|name|newName))|git[.]sparse[[].*)$
{{- end -}}
{{- define "kargo-service.named" -}}
^(image[.](allow|ignore)TagsRegexes[[].*|warehouse[.]subscriptions[[].*[.](repoURL|name|(allow|ignore)TagsRegexes[[].*|(include|exclude)Paths[[].*)
{{- ``}}|git[.](repoURL|branch|author[.](name|email))|stages[.][^.]+[.]branch
{{- ``}}|(stages[.][^.]+[.])?promotion[.](tagKey|digestKey|customSteps[[].*|pullRequest[.](labels[[].*|mergeMethod))
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
{{- $patterned := regexMatch (include "kargo-service.patterned" .) $path }}
{{- if or $patterned (regexMatch (include "kargo-service.named" .) $path) }}
{{- /* Named groups of regular expressions, and Kargo's expressions, are no placeholders. */}}
{{- $text := regexReplaceAll `(?s)[(][?]P?<|[$][{][{].*?[}][}]` .value "" }}
{{- $words := regexFindAll `<[A-Za-z][A-Za-z0-9_-]*>` $text -1 }}
{{- if $patterned }}{{ $words = without $words "<service>" "<stage>" }}{{ end }}
{{- with $words }}
{{ $path }}: {{ first . }} is not replaced here{{ if $patterned }}; <service> and <stage> are{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
