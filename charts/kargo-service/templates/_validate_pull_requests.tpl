{{/*
What Kargo can do with pull requests, by provider: its pkg/gitprovider. kargo-fleet has the same rules and messages in
tools/kargo_fleet/unit/pull_requests.py. Takes a dict: stage, pullRequest, repoURL (http:// or https://).
*/}}
{{- define "kargo-service.validate.pullRequest" -}}
{{- $key := printf "stages.%s.promotion.pullRequest" .stage -}}
{{- $url := .repoURL -}}
{{- $host := regexReplaceAll "^https?://([^/:]*).*$" $url "${1}" -}}
{{- $provider := .pullRequest.provider | default "" -}}
{{- $hosts := dict
    "azure" `^https?://(dev\.azure\.com|[^/]*visualstudio\.com)/`
    "bitbucket" `^https?://bitbucket\.org(:[0-9]+)?/`
    "gitea" `^https?://[^/]*gitea[^/]*/`
    "github" `^https?://([^/]*github[^/]*|[^/]*\.ghe\.com)/`
    "gitlab" `^https?://[^/]*gitlab[^/]*/` -}}
{{- range $name, $regex := $hosts -}}
  {{- if and (not $provider) (regexMatch $regex $url) }}{{ $provider = $name }}{{ end -}}
{{- end -}}
{{- $methods := dict
    "azure" (list "noFastForward" "rebase" "rebaseMerge" "squash")
    "bitbucket" (list "fast_forward" "merge_commit" "rebase_fast_forward" "rebase_merge" "squash" "squash_fast_forward")
    "gitea" (list "fast-forward-only" "manually-merged" "merge" "rebase" "rebase-merge" "squash")
    "github" (list "merge" "rebase" "squash")
    "gitlab" (list "merge" "squash") -}}
{{- $cloud := get (dict "bitbucket.org" "bitbucket" "dev.azure.com" "azure" "github.com" "github" "gitlab.com" "gitlab") $host -}}
{{- $instead := "set pullRequest.enabled: false, so that promotions push to the branch, or open the pull request with an http step in steps.replace" -}}
{{- $isBitbucket := or (eq $provider "bitbucket") (and (not $provider) (contains "bitbucket" $host)) -}}
{{- $isAzure := or (eq $provider "azure") (and (not $provider) (or (contains "/_git/" $url) (hasPrefix "tfs." $host))) -}}
{{- if and $isBitbucket (ne $host "bitbucket.org") }}
{{ $key }}.provider: Kargo supports Bitbucket Cloud (bitbucket.org) only, not {{ $host }}; {{ $instead }}
{{- else if and $isAzure (not (regexMatch $hosts.azure $url)) }}
{{ $key }}.provider: Kargo supports Azure DevOps Services (dev.azure.com) only, not {{ $host }}; {{ $instead }}
{{- else if not $provider }}
{{ $key }}.provider: is empty and cannot be inferred from {{ quote $url }}; use gitea (for Forgejo, too), github or gitlab
{{- else if and $cloud (ne $cloud $provider) }}
{{ $key }}.provider: {{ quote $provider }} is not the provider of {{ $host }}; use {{ $cloud }}
{{- end }}
{{- /* GitLab's lib/gitlab/regex/merge_requests.rb and app/models/concerns/issuable.rb; the default of Gitea and Forgejo. */ -}}
{{- $drafts := dict "gitea" `^(?i)(WIP:|\[WIP\])` "gitlab" `^(?i)(\[draft\]|\(draft\)|draft:)` -}}
{{- $title := .pullRequest.title | default "" -}}
{{- with get $drafts $provider }}
{{- if and $.pullRequest.merge (regexMatch . $title) }}
{{ $key }}.title: starts with "{{ regexFind . $title }}", with which {{ $provider }} marks a draft; Kargo does not merge drafts
{{- end }}
{{- end }}
{{- /* Kargo puts something else in the place of expressions, of any length. */ -}}
{{- $length := regexFindAll "(?s)." (regexReplaceAll `(?s)\$\{\{.*?\}\}|<version>` $title "") -1 | len -}}
{{- if and (eq $provider "gitlab") (gt $length 255) }}
{{ $key }}.title: is {{ $length }} characters long; gitlab accepts at most 255
{{- end }}
{{- $method := .pullRequest.mergeMethod | default "" -}}
{{- $known := get $methods $provider | default list -}}
{{- if and .pullRequest.merge $method $known (not (has $method $known)) (not (contains "${{" $method)) }}
{{ $key }}.mergeMethod: {{ quote $method }} is not a merge method of {{ $provider }}; use one of {{ join ", " $known }}
{{- end }}
{{- end -}}
