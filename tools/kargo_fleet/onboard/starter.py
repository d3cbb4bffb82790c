"""The files that a repository starts with: fleet.yaml, a hook of pre-commit, a job of the host's CI."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kargo_fleet import __version__
from kargo_fleet.fleet.chart_source import CHART_NAME, DEFAULT_PATH
from kargo_fleet.fleet.names import FLEET_FILES, GENERATED_FOLDERS
from kargo_fleet.onboard.candidates import PROD, rank
from kargo_fleet.onboard.layout import Layout
from kargo_fleet.onboard.remote import Checkout, GitHost
from kargo_fleet.text.yaml_writer import Note, document, gently_quoted, scalar

HOOKS = ".pre-commit-config.yaml"
WORKFLOWS = {GitHost.GITHUB: ".github/workflows/kargo-fleet.yaml", GitHost.GITLAB: ".gitlab/kargo-fleet.yml"}
_IMAGE = {"image": {"registry": "registry.example.com"}}
_GIT = {"repoURL": "https://git.example.com/platform.git"}
INDEX = "KARGO_FLEET_INDEX"
#: The name is free on the public index: without an index of the user's own, the job must fail.
INSTALL = f'pip install --index-url "${{{INDEX}:?is not set}}" kargo-fleet=={__version__}'
_WHERE_FROM = f"""\
{INDEX}, a variable of the {{settings}}, is the address of your package index. The public one does not
{{indent}}# have kargo-fleet: whoever takes the name there would run code here."""


def chart_path(layout: Layout) -> str:
    """Return the folder that the chart is copied to: the usual one, unless that would be the folder of a service."""
    base = layout.folders.base
    usual = (DEFAULT_PATH, f"helm/{CHART_NAME}", f"platform/{CHART_NAME}")
    return next(path for path in usual if not path.startswith(f"{base}/") and path != base)


def fleet_text(layout: Layout, checkout: Checkout, chart: Mapping[str, str], defaults: Mapping[str, Any]) -> str:
    """Return the text of fleet.yaml. What could not be seen stands there as a comment, to be filled in."""
    what = (
        f"every folder of {layout.folders.base}/"
        if layout.folders.is_flat
        else f"every folder {layout.folders.pattern}"
    )
    head = [
        "# yaml-language-server: $schema=schemas/fleet.schema.json",
        f"# The fleet: {what} is a service. After a change: kargo-fleet generate.",
        "# Credentials never stand here, nor anywhere in this repository: kargo-fleet credentials --help",
    ]
    parts = ["".join(f"{line}\n" for line in head)]
    where = {"services": layout.folders.base if layout.folders.is_flat else layout.folders.pattern}
    if layout.service_file:
        where["serviceFile"] = layout.service_file
    if where != {"services": "services"}:
        parts.append(document(where))
    image = {"registry": layout.registry}
    parts.append(
        document({"image": image}) if layout.registry else _to_fill_in("images are <registry>/<service>", _IMAGE)
    )
    parts.append(_git(checkout))
    parts.append(
        document({"chart": Note("Where Argo CD takes the chart from that makes a service's unit.", dict(chart))})
    )
    if values := _values(layout, defaults):
        parts.append(document({"values": values}))
    return "\n".join(parts)


def _git(checkout: Checkout) -> str:
    git = {"repoURL": checkout.url, "branch": checkout.branch or "main"}
    if not checkout.url:
        return _to_fill_in("the URL of this repository", {"git": git | _GIT})
    if not checkout.branch:
        del git["branch"]
        what = "FILL IN branch: the branch that promotions commit to. Without it, that is main."
        return document({"git": Note(what, git)})
    return document({"git": git})


def _to_fill_in(what: str, example: Mapping[str, Any]) -> str:
    lines = document(example).splitlines()
    return "".join(f"# {line}\n" for line in [f"FILL IN: {what}.", *lines])


def _values(layout: Layout, defaults: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    promotion = {"tagKey": layout.tag_key} if layout.tag_key != "image.tag" else {}
    path = f"{layout.folders.pattern}/{layout.file}"
    if path != layout.folders.values_file:
        promotion["path"] = path
    if promotion:
        values["promotion"] = Note(f"What promotions set in {layout.file}.", promotion)
    if stages := stage_values(layout.stages, defaults["stages"]):
        values["stages"] = Note("The pipeline, in the order that the names suggest. Prod is promoted by hand.", stages)
    return values


def stage_values(stages: Sequence[str], defaults: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any] | None]:
    """Return `values.stages` for stages in order, as far as they differ from the chart's; null removes one of these.

    A stage follows the one before it, and is promoted automatically, but for prod. Several prods follow the same stage.
    """
    found: dict[str, dict[str, Any] | None] = {name: None for name in defaults if name not in stages}
    before: list[str] = []
    for name in stages:
        is_prod = rank(name) >= PROD
        upstream = [stage for stage in before if rank(stage) < PROD][-1:] if is_prod else before[-1:]
        wanted = {"autoPromotionEnabled": not is_prod, **({"upstream": upstream} if upstream else {})}
        usual = defaults.get(name, {})
        own = {
            key: value
            for key, value in wanted.items()
            if value != (usual.get(key, False) if key == "autoPromotionEnabled" else usual.get(key))
        }
        if usual.get("upstream") and not upstream:
            own["upstream"] = None
        if own or name not in defaults:
            found[name] = own
        before.append(name)
    return found


def hook(layout: Layout, chart: str) -> dict[str, Any]:
    """Return the entry of .pre-commit-config.yaml for the services of `layout` and a chart in the folder `chart`."""
    own = [layout.service_file.partition("/")[0]] if layout.service_file else []
    top = dict.fromkeys([layout.folders.base, *own, *GENERATED_FOLDERS, chart.partition("/")[0]])
    files = "|".join([*(f"{name}/" for name in top), *(f"{re.escape(name)}$" for name in FLEET_FILES)])
    return {
        "repo": "local",
        "hooks": [
            {
                "id": "kargo-fleet",
                "name": "kargo-fleet check",
                "language": "system",
                "entry": "kargo-fleet check",
                "files": f"^({files})",
                "pass_filenames": False,
            }
        ],
    }


def workflow(layout: Layout, checkout: Checkout) -> str:
    """Return the job of the host's CI that checks changes of the fleet; "" when the host is not known."""
    inputs = [*FLEET_FILES, *(f"{folder}/**" for folder in (*GENERATED_FOLDERS, chart_path(layout)))]
    own_file = [_glob(layout.service_file)] if layout.service_file else []
    own = own_file if layout.folders.has_stages else [_glob(f"{layout.folders.pattern}/kargo.yaml")]
    if checkout.host is GitHost.GITHUB:
        return _GITHUB.format(
            branch=scalar(checkout.branch or "main"),
            file=layout.file,
            pushed=_list([*inputs, *own], 6),
            changed=_list([*inputs, f"{layout.folders.base}/**", *own_file], 6),
            install=INSTALL,
            index=INDEX,
            where=_WHERE_FROM.format(settings="repository's settings", indent=" " * 6),
        )
    if checkout.host is GitHost.GITLAB:
        changed = _list([*inputs, f"{layout.folders.base}/**/*", *own_file], 8)
        where = _WHERE_FROM.format(settings="project's CI/CD settings", indent=" " * 4)
        return _GITLAB.format(changed=changed, install=INSTALL, where=where)
    return ""


def _glob(pattern: str) -> str:
    return re.sub("<[a-z]+>", "*", pattern)


def _list(items: Sequence[str], indent: int) -> str:
    return "\n".join(f"{' ' * indent}- {gently_quoted(item)}" for item in items)


_GITHUB = """\
# Checks what Kargo and Argo CD will read. Promotions change {file} only, so their pushes do not start it.
name: kargo-fleet
on:
  pull_request:
    paths:
{changed}
  push:
    branches: [{branch}]
    paths:
{pushed}

permissions: {{contents: read}}

jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    steps:
      - uses: actions/checkout@v4
        with: {{persist-credentials: false}}
      - uses: actions/setup-python@v5
        with: {{python-version: "3.13"}}
      # {where}
      - run: {install}
        env: {{{index}: "${{{{ vars.{index} }}}}"}}
      - run: kargo-fleet check
"""

_GITLAB = """\
# Checks what Kargo and Argo CD will read. In .gitlab-ci.yml:
#   include: [{{local: .gitlab/kargo-fleet.yml}}]
kargo-fleet:
  image: python:3.13
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
      changes:
{changed}
  script:
    # {where}
    - {install}
    - kargo-fleet check
"""
