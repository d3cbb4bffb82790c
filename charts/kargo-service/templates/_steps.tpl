{{/*
The steps of a promotion. What is specific to a service or a stage is passed as a variable, for the steps of people, too; messages
and titles are for people and say it themselves. Expressions are Kargo's and are written in backticks.

Values that are an expression and nothing else go through quote(): Kargo turns a result that looks like a number into one,
the tag 1.10 into 1.1.
See Kargo's docs, "Expression Language Reference" and "Promotion Templates Reference".
*/}}

{{/*
Kargo's built-in steps, those of its commercial distributions and of newer versions included (kargo-service.newInKargo says
which). One list for the whole chart. Takes anything.
*/}}
{{- define "kargo-service.builtinSteps" -}}
argocd-update argocd-wait compose-output copy delete fail file-write get-user-input
gh-create-issue gh-issue-add-comment gh-issue-delete-comment gh-issue-update-comment gh-search-issues gh-update-issue
gh-wait-for-issue-state gha-dispatch-workflow gha-wait-for-workflow
git-clear git-clone git-commit git-merge-pr git-open-pr git-push git-tag git-wait-for-pr github-push
hcl-update helm-template helm-update-chart http http-download jfrog-evidence jira json-parse json-update
kustomize-build kustomize-set-image oci-download oci-push record-audit-event send-message set-freight-alias set-metadata
snow-create snow-delete snow-query-for-records snow-update snow-wait-for-condition
tar tf-apply tf-output tf-plan toml-parse toml-update untar wait-for-approval yaml-merge yaml-parse yaml-update
{{- end -}}

{{/*
The names of all steps that may be used. Takes the names of custom steps, a list, or nothing. Returns JSON, a list.
*/}}
{{- define "kargo-service.knownSteps" -}}
{{- concat (include "kargo-service.builtinSteps" . | splitList "\n" | join " " | splitList " ") (. | default list) | toJson -}}
{{- end -}}

{{/*
The lists of promotion.steps that a stage runs, by their keys. Takes the stage. Returns words.
*/}}
{{- define "kargo-service.ownStepLists" -}}
{{- if (.promotion.steps).replace }}replace{{ else }}before beforeCommit after{{ end -}}
{{- end -}}

{{/*
Names of the variables that the chart defines for every stage; `vars` must not define them again. Takes anything.
*/}}
{{- define "kargo-service.reservedVars" -}}
service imageRepoURL gitRepoURL branch path folder application
{{- end -}}

{{/*
How often and how long a step is retried. Takes a map or nothing: timeout, errorThreshold. Returns lines of YAML, a map;
nothing when both are missing.
*/}}
{{- define "kargo-service.retry" -}}
{{- with . }}
{{- with .timeout }}
timeout: {{ include "kargo-service.duration" . }}
{{- end }}
{{- with .errorThreshold }}
errorThreshold: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
The name of the version for people: the image's tag, for a mutable tag with the digest; without an image the version of the chart,
or the commit. Takes a stage.
*/}}
{{- define "kargo-service.version" -}}
{{- if .imageFrom -}}
{{- printf `${{ %s.Tag }}` .imageFrom -}}{{ if .isDigest }}{{ printf `@${{ %s.Digest }}` .imageFrom }}{{ end -}}
{{- else if .chartFrom -}}
{{- printf `${{ %s.Version }}` .chartFrom -}}
{{- else if .commitFrom -}}
{{- printf `${{ %s.ID }}` .commitFrom -}}
{{- else -}}
{{- `${{ ctx.targetFreight.name }}` -}}
{{- end -}}
{{- end -}}

{{/*
A commit message or title with <version> filled in by Kargo. Takes a dict: stage, text. A string that is this and nothing else
goes through quote(), as it may look like a number.
*/}}
{{- define "kargo-service.message" -}}
{{- $version := include "kargo-service.version" .stage -}}
{{- if and (eq .text "<version>") (not (contains "@" $version)) -}}
  {{- $version | replace `${{ ` `${{ quote(` | replace ` }}` `) }}` -}}
{{- else -}}
  {{- .text | replace "<version>" $version -}}
{{- end -}}
{{- end -}}

{{/*
The message of the commits, with the trailers that make a history of many services readable by machines. They join the trailers
that the text ends with, if it does. (Kargo leaves the actor empty when it promotes by itself.) Takes a dict: stage, text.
*/}}
{{- define "kargo-service.commitMessage" -}}
{{- $text := include "kargo-service.message" . | trim -}}
{{- $text -}}
{{- if not (regexMatch `\n\n([A-Za-z0-9-]+: [^\n]+\n)*[A-Za-z0-9-]+: [^\n]+$` $text) }}{{ "\n" }}{{ end -}}
{{- range list `Stage: ${{ ctx.project }}/${{ ctx.stage }}` `Promotion: ${{ ctx.promotion }}` `Freight: ${{ ctx.targetFreight.name }}` `Actor: ${{ ctx.meta.promotion.actor }}` }}
Kargo-{{ . }}
{{- end -}}
{{- end -}}

{{/*
The variables of a stage's promotions. Takes a dict: root, stage. Returns lines of YAML, a list.
*/}}
{{- define "kargo-service.promotionVars" -}}
{{- $service := include "kargo-service.name" .root -}}
{{- $path := .stage.promotion.path -}}
{{- $vars := list
      (list "service" $service)
      (list "imageRepoURL" (ternary (.root.Values.image).repoURL "" (not (empty .stage.imageFrom))))
      (list "gitRepoURL" .stage.git.repoURL)
      (list "branch" .stage.git.branch)
      (list "path" $path)
      (list "folder" (dir $path)) -}}
{{- if (.stage.promotion.argocdUpdate).enabled -}}
  {{- $vars = append $vars (list "application" (include "kargo-service.application" .)) -}}
{{- end -}}
{{- range $vars }}
{{- if index . 1 }}
- name: {{ index . 0 }}
  value: {{ index . 1 | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
The name of the Application that a stage's promotions sync. Takes a dict: root, stage.
*/}}
{{- define "kargo-service.application" -}}
{{- .stage.promotion.argocdUpdate.name | default (printf "%s-%s" (include "kargo-service.name" .root) .stage.name) -}}
{{- end -}}

{{/*
All steps of a stage. Takes a dict: root, stage. Returns lines of YAML, a list.
*/}}
{{- define "kargo-service.steps" -}}
{{- $promotion := .stage.promotion -}}
{{- $steps := $promotion.steps | default dict -}}
{{- if $steps.replace }}
{{- include "kargo-service.userSteps" $steps.replace }}
{{- else }}
{{- include "kargo-service.userSteps" $steps.before }}
{{- if ($promotion.task).name }}
- task:
    name: {{ toYaml $promotion.task.name }}
    kind: {{ $promotion.task.kind | default "PromotionTask" }}
  {{- with include "kargo-service.vars" $promotion.task.vars | trim }}
  vars:
    {{- . | nindent 4 }}
  {{- end }}
{{- else }}
{{- include "kargo-service.defaultSteps" . }}
{{- end }}
{{- include "kargo-service.userSteps" $steps.after }}
{{- end }}
{{- end -}}

{{/*
The default steps: clone, write the version into the values file, commit, push or open a pull request, sync the
Application. Takes a dict: root, stage. Returns lines of YAML, a list.
*/}}
{{- define "kargo-service.defaultSteps" -}}
{{- $stage := .stage -}}
{{- $promotion := $stage.promotion -}}
{{- $git := $stage.git -}}
{{- $retry := $promotion.retry | default dict -}}
{{- $pullRequest := $promotion.pullRequest | default dict -}}
{{- $updates := include "kargo-service.updates" $stage | fromJson -}}
{{- $message := $promotion.message | default (printf "%s: promote %s to <version>" (include "kargo-service.name" .root) $stage.name) }}
- uses: git-clone
  {{- with include "kargo-service.retry" (get $retry "git-clone") | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  config:
    repoURL: {{ `${{ vars.gitRepoURL }}` }}
    {{- if $git.insecureSkipTLSVerify }}
    insecureSkipTLSVerify: true
    {{- end }}
    {{- if $git.blobless }}
    blobless: true
    {{- end }}
    {{- if and ($git.author).name ($git.author).email }}
    author:
      name: {{ $git.author.name | quote }}
      email: {{ $git.author.email | quote }}
      {{- with $git.author.signingKey }}
      signingKey: {{ . | quote }}
      {{- end }}
    {{- end }}
    checkout:
      {{- /* First: of many promotions that create the branch at once all but one fail, and a second attempt needs that nothing is there yet. */}}
      {{- with include "kargo-service.renderedCheckout" $stage }}
      {{- . | nindent 6 }}
      {{- end }}
      - {{ include "kargo-service.source" (dict "root" .root "stage" $stage) }}
        path: ./src
        {{- $folders := include "kargo-service.renderedFolders" $stage | fromJsonArray }}
        {{- if include "kargo-service.writesValuesFile" $stage }}{{ $folders = list (dir $promotion.path) }}{{ end }}
        {{- range $updates }}{{ $folders = append $folders .folder }}{{ end }}
        {{- if not $folders }}{{ $folders = list (dir $promotion.path) }}{{ end }}
        {{- if kindIs "slice" $git.sparse }}{{ $folders = concat $folders $git.sparse }}{{ end }}
        {{- if and (or $git.sparse (not (kindIs "bool" $git.sparse))) (not (has "." $folders)) }}
        sparse:
          {{- range uniq $folders }}
          - {{ ternary `${{ quote(vars.folder) }}` (quote .) (eq . (dir $promotion.path)) }}
          {{- end }}
        {{- end }}
{{- /* Without a key, updates and steps before the commit write the files. */}}
{{- if include "kargo-service.writesValuesFile" $stage }}
- uses: yaml-update
  as: update
  {{- with include "kargo-service.retry" (get $retry "yaml-update") | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  config:
    path: {{ `./src/${{ vars.path }}` }}
    updates:
      {{- with include "kargo-service.tagKey" $stage }}
      - key: {{ . | quote }}
        value: {{ include "kargo-service.written" (dict "stage" $stage "what" "tag") }}
      {{- end }}
      {{- with $promotion.digestKey }}
      - key: {{ . | quote }}
        value: {{ include "kargo-service.written" (dict "stage" $stage "what" "digest") }}
      {{- end }}
{{- end }}
{{- range $name, $update := $updates }}
{{- include "kargo-service.updateStep" (dict "root" $.root "stage" $stage "name" $name "update" $update "retry" $retry) }}
{{- end }}
{{- include "kargo-service.renderSteps" (dict "stage" $stage "retry" $retry) }}
{{- include "kargo-service.userSteps" ($promotion.steps).beforeCommit }}
{{- $workTree := ternary "./out" "./src" (not (empty $promotion.render.kind)) }}
- uses: git-commit
  as: commit
  {{- with include "kargo-service.retry" (get $retry "git-commit") | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  config:
    path: {{ $workTree }}
    message: {{ include "kargo-service.commitMessage" (dict "stage" $stage "text" $message) | quote }}
- uses: git-push
  as: push
  {{- /* Skipped without a commit: a pull request needs a branch with changes. */}}
  {{- if $pullRequest.enabled }}
  if: {{ `${{ success() && status('commit') != 'Skipped' }}` }}
  {{- end }}
  {{- with include "kargo-service.retry" (get $retry "git-push") | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  config:
    path: {{ $workTree }}
    {{- if $pullRequest.enabled }}
    generateTargetBranch: true
    {{- end }}
    {{- with $pullRequest.provider }}
    provider: {{ . }}
    {{- end }}
    {{- with $promotion.maxAttempts }}
    maxAttempts: {{ . }}
    {{- end }}
{{- if $pullRequest.enabled }}
{{- include "kargo-service.pullRequestSteps" $stage }}
{{- end }}
{{- if ($promotion.argocdUpdate).enabled }}
- uses: argocd-update
  {{- with include "kargo-service.retry" (get $retry "argocd-update") | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  config:
    apps:
      {{- /* No desiredRevision: other services commit to the same branch, so the Application soon runs a later commit. */}}
      - name: {{ `${{ quote(vars.application) }}` }}
        {{- with $promotion.argocdUpdate.namespace }}
        namespace: {{ toYaml . }}
        {{- end }}
{{- end }}
{{- end -}}

{{/*
The step of one of promotion.updates. Takes a dict: root, stage, name, update, retry. Returns lines of YAML, a list.
*/}}
{{- define "kargo-service.updateStep" -}}
{{- $step := get (dict "yaml" "yaml-update" "kustomize" "kustomize-set-image" "helmDependency" "helm-update-chart") .update.kind }}
- uses: {{ $step }}
  as: update-{{ .name }}
  {{- with include "kargo-service.retry" (get .retry $step) | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  config:
    path: {{ printf "./src/%s" .update.path | quote }}
    {{- if eq .update.kind "yaml" }}
    updates:
      {{- range $key, $value := .update.keys }}
      {{- if $value }}
      - key: {{ $key | quote }}
        value: {{ include "kargo-service.written" (dict "stage" $.stage "what" $value) }}
      {{- end }}
      {{- end }}
    {{- else if eq .update.kind "helmDependency" }}
    {{- include "kargo-service.helmDependency" . | nindent 4 }}
    {{- else }}
    {{- include "kargo-service.setImage" (dict "stage" .stage "settings" .update "isDigest" .stage.isDigest) | nindent 4 }}
    {{- end }}
{{- end -}}

{{/*
The image of the step kustomize-set-image. Takes a dict: stage, settings (name, newName), isDigest (whether by digest and not by
tag). Returns YAML, a map.
*/}}
{{- define "kargo-service.setImage" -}}
images:
  - image: {{ `${{ vars.imageRepoURL }}` }}
    {{- range $key := list "name" "newName" }}
    {{- with get $.settings $key }}
    {{ $key }}: {{ . | quote }}
    {{- end }}
    {{- end }}
    {{- $is := ternary "digest" "tag" (not (empty .isDigest)) }}
    {{ $is }}: {{ include "kargo-service.written" (dict "stage" .stage "what" $is) }}
{{- end -}}

{{/*
What is written for a word of promotion.updates, or for a Kargo expression, which is written as it is. Takes a dict: stage, what.
Returns a YAML scalar.
*/}}
{{- define "kargo-service.written" -}}
{{- $image := .stage.imageFrom -}}
{{- $words := dict
      "tag" (printf `${{ quote(%s.Tag) }}` $image)
      "digest" (printf `${{ quote(%s.Digest) }}` $image)
      "image" (printf `${{ vars.imageRepoURL }}:${{ %s.Tag }}` $image)
      "imageDigest" (printf `${{ vars.imageRepoURL }}@${{ %s.Digest }}` $image)
      "chartVersion" (printf `${{ quote(%s.Version) }}` .stage.chartFrom)
      "commitID" (printf `${{ quote(%s.ID) }}` .stage.commitFrom) -}}
{{- $written := get $words .what | default .what -}}
{{- if or (contains `"` $written) (not (hasKey $words .what)) }}{{ $written | quote }}{{ else }}{{ $written }}{{ end -}}
{{- end -}}

{{/*
The steps that turn a pushed branch into a merged pull request. Takes the stage. Returns lines of YAML, a list.
*/}}
{{- define "kargo-service.pullRequestSteps" -}}
{{- $retry := .promotion.retry | default dict -}}
{{- $pullRequest := .promotion.pullRequest }}
- uses: git-open-pr
  as: open-pr
  if: {{ `${{ success() && status('commit') != 'Skipped' }}` }}
  {{- with include "kargo-service.retry" (get $retry "git-open-pr") | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  config:
    repoURL: {{ `${{ vars.gitRepoURL }}` }}
    {{- with include "kargo-service.gitProvider" . | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    sourceBranch: {{ `${{ outputs.push.branch }}` }}
    targetBranch: {{ ternary (quote .promotion.render.branch) `${{ quote(vars.branch) }}` (not (empty .promotion.render.kind)) }}
    {{- with $pullRequest.title }}
    title: {{ include "kargo-service.message" (dict "stage" $ "text" .) | quote }}
    {{- end }}
    {{- with $pullRequest.labels }}
    labels:
      {{- range . }}
      - {{ . | quote }}
      {{- end }}
    {{- end }}
{{- $step := ternary "git-merge-pr" "git-wait-for-pr" (eq $pullRequest.merge true) }}
- uses: {{ $step }}
  as: {{ trimPrefix "git-" $step }}
  if: {{ `${{ success() && status('open-pr') != 'Skipped' }}` }}
  {{- with include "kargo-service.retry" (get $retry $step) | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  config:
    repoURL: {{ `${{ vars.gitRepoURL }}` }}
    {{- with include "kargo-service.gitProvider" . | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    prNumber: {{ `${{ outputs['open-pr'].pr.id }}` }}
    {{- if $pullRequest.merge }}
    wait: true
    {{- with $pullRequest.mergeMethod }}
    mergeMethod: {{ . | quote }}
    {{- end }}
    {{- end }}
{{- end -}}

{{/*
How a pull request step reaches the Git provider. Takes the stage. Returns lines of YAML, a map; nothing when
Kargo infers the provider and verifies its certificate.
*/}}
{{- define "kargo-service.gitProvider" -}}
{{- with .promotion.pullRequest.provider }}
provider: {{ . }}
{{- end }}
{{- if .git.insecureSkipTLSVerify }}
insecureSkipTLSVerify: true
{{- end }}
{{- end -}}

{{/*
Steps that people wrote, in the form that Kargo stores them: no zero values, durations in Go's form. Takes a list or
nothing. Returns lines of YAML, a list; nothing when there are no steps.
*/}}
{{- define "kargo-service.userSteps" -}}
{{- range . }}
{{- if .task }}
- task:
    name: {{ toYaml .task.name }}
    {{- with .task.kind }}
    kind: {{ . }}
    {{- end }}
{{- else }}
- uses: {{ toYaml .uses }}
{{- end }}
  {{- with .as }}
  as: {{ . | quote }}
  {{- end }}
  {{- with .if }}
  if: {{ . | quote }}
  {{- end }}
  {{- if .continueOnError }}
  continueOnError: true
  {{- end }}
  {{- with include "kargo-service.retry" .retry | trim }}
  retry:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with include "kargo-service.vars" .vars | trim }}
  vars:
    {{- . | nindent 4 }}
  {{- end }}
  {{- if and .uses (hasKey . "config") }}
  config:
    {{- .config | default dict | toYaml | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}
