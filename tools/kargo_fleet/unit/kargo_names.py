"""What Kargo refuses of names and texts: two receivers of one name, Git URLs that no Warehouse takes, unclosed expressions.

The chart has the same rules and messages in templates/_validate_kargo_names.tpl.
"""

from __future__ import annotations

from collections.abc import Iterator

from kargo_fleet.findings import KeyPath, Problem, problem_at
from kargo_fleet.fleet.pipeline import Pipeline, section
from kargo_fleet.text.patterns import linear
from kargo_fleet.text.words import quoted

#: gitURLRegex of Kargo's pkg/subscription/git.go: no IPv6 addresses, no - in the first part of an SSH host.
_GIT_URL = linear(
    r"^(ssh|https?)://(([\w-]+)(:(.+))?@)?([\w-]+(\.[\w-]+)*)(:(\d{1,5}))?(/.*)$|^([\w-]+)@([\w+]+(\.[\w-]+)*):(/?.*)$"
)
_EXPRESSION = linear(r"(?s)\$\{\{.*?\}\}")


def problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield the problems with what a unit gives to Kargo's webhooks."""
    names: set[str] = set()
    for index, receiver in enumerate(section(pipeline.values, "projectConfig").get("webhookReceivers") or []):
        if receiver["name"] in names:
            path = ("projectConfig", "webhookReceivers", index, "name")
            message = f"{quoted(receiver['name'])} is the name of another receiver"
            yield problem_at(path, "KF103", message, "use another name")
        names.add(receiver["name"])
    for warehouse in pipeline.warehouses.values():
        for subscription in warehouse.subscriptions:
            url = subscription.repo_url
            if subscription.kind == "git" and url and not _GIT_URL.search(url):
                message = f"{quoted(url)} is not a Git URL that Kargo subscribes to: https://, and a host name"
                yield problem_at(
                    (*subscription.path, "repoURL"), "KF103", message, "use the https:// URL of the repository"
                )
    for name, stage in sorted(pipeline.stages.items()):
        if not stage.has_default_steps:
            continue
        title = section(stage.promotion, "pullRequest").get("title")
        texts: dict[KeyPath, str | None] = {
            ("message",): stage.promotion.get("message"),
            ("pullRequest", "title"): title,
        }
        for at, text in texts.items():
            if text and "${{" in text and "${{" in _EXPRESSION.sub("", text):
                place = ("stages", name, "promotion", *at)
                yield problem_at(place, "KF306", "has an expression that does not end: ${{ without }}", "add }}")
