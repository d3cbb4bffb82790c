"""What Kargo can do with pull requests, by provider: its pkg/gitprovider.

The chart has the same rules and messages in templates/_validate_pull_requests.tpl.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted
from kargo_fleet.text.patterns import linear
from kargo_fleet.text.words import did_you_mean

#: Hosts that Kargo takes for a provider's when none is named, in its own words and order.
_INFERRED = {
    "azure": re.compile(r"https?://(dev\.azure\.com|[^/]*visualstudio\.com)/"),
    "bitbucket": re.compile(r"https?://bitbucket\.org(:[0-9]+)?/"),
    "gitea": re.compile(r"https?://[^/]*gitea[^/]*/"),
    "github": re.compile(r"https?://([^/]*github[^/]*|[^/]*\.ghe\.com)/"),
    "gitlab": re.compile(r"https?://[^/]*gitlab[^/]*/"),
}
#: The services on the internet that have one provider only.
_CLOUDS = {"bitbucket.org": "bitbucket", "dev.azure.com": "azure", "github.com": "github", "gitlab.com": "gitlab"}
MERGE_METHODS = {
    "azure": ("noFastForward", "rebase", "rebaseMerge", "squash"),
    "bitbucket": (
        "fast_forward",
        "merge_commit",
        "rebase_fast_forward",
        "rebase_merge",
        "squash",
        "squash_fast_forward",
    ),
    "gitea": ("fast-forward-only", "manually-merged", "merge", "rebase", "rebase-merge", "squash"),
    "github": ("merge", "rebase", "squash"),
    "gitlab": ("merge", "squash"),
}
#: Beginnings of titles that make a draft of a pull request: GitLab's lib/gitlab/regex/merge_requests.rb, and the default of
#: Gitea and Forgejo (WORK_IN_PROGRESS_PREFIXES).
_DRAFTS = {
    "gitea": re.compile(r"(?i)(WIP:|\[WIP\])"),
    "gitlab": re.compile(r"(?i)(\[draft\]|\(draft\)|draft:)"),
}
#: How long titles are at most, where a longer one is refused: GitLab's app/models/concerns/issuable.rb.
_LONGEST_TITLES = {"gitlab": 255}
#: What Kargo puts something else in the place of, of any length.
_EVALUATED = linear(r"(?s)\$\{\{.*?\}\}|<version>")
_INSTEAD = (
    "set pullRequest.enabled: false, so that promotions push to the branch,"
    " or open the pull request with an http step in steps.replace"
)


def provider_of(pull_request: Mapping[str, Any], repo_url: str) -> str:
    """Return the provider that Kargo uses, "" if it can infer none from the repository's URL."""
    inferred = (name for name, hosts in _INFERRED.items() if hosts.match(repo_url))
    return pull_request.get("provider") or next(inferred, "")


def problems(path: KeyPath, pull_request: Mapping[str, Any], repo_url: str, owner: KeyPath) -> Iterator[Problem]:
    """Yield the problems with the pull requests of a stage in a repository with an https:// URL.

    `path` is that of the stage's `pullRequest`, `owner` that of the settings to change: of all stages, or of this one alone
    where others have another repository.
    """
    provider = provider_of(pull_request, repo_url)
    host = re.split("[/:]", repo_url.partition("://")[2])[0]
    is_azure = provider == "azure" or (not provider and ("/_git/" in repo_url or host.startswith("tfs.")))
    here = (*path, "provider")
    if (provider or ("bitbucket" if "bitbucket" in host else "")) == "bitbucket" and host != "bitbucket.org":
        message = f"Kargo supports Bitbucket Cloud (bitbucket.org) only, not {host}; {_INSTEAD}"
        yield Problem("KF316", f"{dotted(here)}: {message}", f"set {dotted(owner)}.enabled: false", here)
    elif is_azure and not _INFERRED["azure"].match(repo_url):
        message = f"Kargo supports Azure DevOps Services (dev.azure.com) only, not {host}; {_INSTEAD}"
        yield Problem("KF316", f"{dotted(here)}: {message}", f"set {dotted(owner)}.enabled: false", here)
    elif not provider:
        message = f'is empty and cannot be inferred from "{repo_url}"; use gitea (for Forgejo, too), github or gitlab'
        fix = f"name what runs on that host, such as {dotted(owner)}.provider: gitlab"
        yield Problem("KF306", f"{dotted(here)}: {message}", fix, here)
    elif _CLOUDS.get(host, provider) != provider:
        message = f'"{provider}" is not the provider of {host}; use {_CLOUDS[host]}'
        yield Problem("KF306", f"{dotted(here)}: {message}", f"set {dotted(owner)}.provider: {_CLOUDS[host]}", here)
    yield from _title(path, pull_request, provider)
    yield from _merge_method(path, pull_request, provider)


def _title(path: KeyPath, pull_request: Mapping[str, Any], provider: str) -> Iterator[Problem]:
    title, here = pull_request.get("title") or "", (*path, "title")
    draft, longest = _DRAFTS.get(provider), _LONGEST_TITLES.get(provider)
    if pull_request.get("merge") and draft and (found := draft.match(title)):
        message = f'starts with "{found[0]}", with which {provider} marks a draft; Kargo does not merge drafts'
        yield Problem("KF306", f"{dotted(here)}: {message}", "write another title, or set merge: false", here)
    if longest and (length := len(_EVALUATED.sub("", title))) > longest:
        message = f"is {length} characters long; {provider} accepts at most {longest}"
        yield Problem("KF306", f"{dotted(here)}: {message}", "shorten it", here)


def _merge_method(path: KeyPath, pull_request: Mapping[str, Any], provider: str) -> Iterator[Problem]:
    method, known = pull_request.get("mergeMethod") or "", MERGE_METHODS.get(provider)
    if pull_request.get("merge") and method and known and method not in known and "${{" not in method:
        here = (*path, "mergeMethod")
        message = f'"{method}" is not a merge method of {provider}; use one of {", ".join(known)}'
        yield Problem("KF306", f"{dotted(here)}: {message}", did_you_mean(method, known, "use one of these"), here)
