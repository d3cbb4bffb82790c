"""One service's pipeline, out of its complete values: its Warehouses, its stages, and how each is promoted.

It is what the chart computes in `kargo-service.init` (templates/_unit.tpl).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from kargo_fleet.fleet.chart import CHART_FILE
from kargo_fleet.fleet.freight import Request, Subscription, Warehouse, has_image, requests_of, warehouses_of
from kargo_fleet.fleet.merge import merge
from kargo_fleet.fleet.names import KUSTOMIZATIONS, PROJECT
from kargo_fleet.fleet.rendering import Rendering, completed, rendering_of
from kargo_fleet.text.placeholders import JsonText


def section(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the mapping at a key of values, {} when there is none."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def expanded(pattern: str, service: str, stage: str = "<stage>") -> str:
    """Return a pattern with `<service>` and `<stage>` filled in."""
    return pattern.replace("<service>", service).replace("<stage>", stage)


def pipeline_order(stages: Mapping[str, Any]) -> list[str]:
    """Return the stages so that each comes after its upstream ones; where that leaves a choice, in the order given."""
    upstream = {name: upstream_of(stage) for name, stage in stages.items()}
    order: list[str] = []
    waiting = list(stages)
    while waiting:
        ready = [name for name in waiting if not any(s in waiting and s != name for s in upstream[name])]
        ready = ready[:1] or waiting[:1]  # a cycle is reported elsewhere
        order += ready
        waiting.remove(ready[0])
    return order


def upstream_of(stage: Mapping[str, Any]) -> list[str]:
    """Return the stages that a stage takes Freight from, of whichever Warehouse."""
    found = list(stage.get("upstream") or [])
    for request in (stage.get("requestedFreight") or {}).values():
        found += [name for name in (request or {}).get("upstream") or [] if name not in found]
    return found


@dataclass(frozen=True)
class Stage:
    """One stage: what the values say of it, with `<stage>` filled in, and what that means beside the unit's settings.

    `promotion` and `git` are merged with those of the unit, `path` of the promotion and `branch` are always there.
    `requests` is what it takes, `image_of` are the keys of those of its Warehouses that have the service's image.
    """

    name: str
    given: Mapping[str, Any]
    promotion: dict[str, Any]
    git: dict[str, Any]
    shard: str
    requests: tuple[Request, ...]
    image_of: tuple[str, ...]

    @property
    def branch(self) -> str:
        """The branch that it is promoted on."""
        branch: str = self.git["branch"]
        return branch

    @property
    def repo_url(self) -> str:
        """The Git repository that it is promoted in, "" when none is said."""
        return self.git.get("repoURL") or ""

    @property
    def path(self) -> str:
        """The values file that its promotions write, from the root of the repository."""
        path: str = self.promotion["path"]
        return path

    @cached_property
    def is_control_flow(self) -> bool:
        """Whether it only passes Freight on, without promotions (Kargo's control flow stages)."""
        is_empty = section(self.promotion, "steps").get("replace") == []
        return bool(self.given.get("controlFlow") or (is_empty and not self.task))

    @property
    def task(self) -> str:
        """The name of the task that runs instead of the chart's own steps, "" for none."""
        return section(self.promotion, "task").get("name") or ""

    @cached_property
    def has_default_steps(self) -> bool:
        """Whether it runs the chart's own steps, the only ones that write its values file."""
        return not (section(self.promotion, "steps").get("replace") or self.task or self.is_control_flow)

    @property
    def has_pull_request(self) -> bool:
        """Whether promotions open a pull request, instead of pushing to the branch."""
        return self.has_default_steps and bool(section(self.promotion, "pullRequest").get("enabled"))

    @property
    def waits_for_people(self) -> bool:
        """Whether promotions wait for a pull request that people merge."""
        return self.has_pull_request and not section(self.promotion, "pullRequest").get("merge")

    @property
    def is_by_hand(self) -> bool:
        """Whether people promote to it."""
        return not self.given.get("autoPromotionEnabled") and not self.is_control_flow

    @property
    def application(self) -> str | None:
        """The name of the Argo CD Application that promotions update, None when they update none."""
        update = section(self.promotion, "argocdUpdate")
        name: str = update.get("name") or ""
        return name if update.get("enabled") and not self.is_control_flow else None

    @property
    def tag_key(self) -> str:
        """The key of the values file which gets the image's tag, "" for none."""
        key: str = self.promotion.get("tagKey", "image.tag") or ""
        return key if self.image_of else ""

    @cached_property
    def rendering(self) -> Rendering | None:
        """What the chart's own steps render onto a branch, None for nothing."""
        return rendering_of(self.promotion) if self.has_default_steps else None

    @property
    def target_branch(self) -> str:
        """The branch that promotions commit to."""
        return self.rendering.branch if self.rendering else self.branch

    @property
    def work_tree(self) -> str:
        """The folder of a promotion that is committed."""
        return "out" if self.rendering else "src"

    @cached_property
    def own_steps(self) -> dict[str, list[Any]]:
        """The lists of one's own steps that run, by their key in `promotion.steps`."""
        steps = section(self.promotion, "steps")
        keys = ("replace",) if steps.get("replace") else ("before", "beforeCommit", "after")
        return {key: steps.get(key) or [] for key in keys}

    @property
    def is_sparse(self) -> bool:
        """Whether its clone has some folders only: those of `source_folders` and `sparse_folders`, if all of them are known."""
        return self.git.get("sparse") is not False

    @property
    def sparse_folders(self) -> list[str]:
        """The folders that `git.sparse` adds to a sparse clone."""
        sparse = self.git.get("sparse")
        return sparse if isinstance(sparse, list) else []

    @property
    def source_folders(self) -> list[str]:
        """The folders that a sparse clone of the sources has, without those of `git.sparse`."""
        folders = [*(self.rendering.folders if self.rendering else ()), *(update.folder for update in self.updates)]
        return list(dict.fromkeys(folders or [posixpath.dirname(self.path)]))

    @property
    def own_keys(self) -> dict[str, str]:
        """The keys for tag and digest, and which of them each gets."""
        own = {self.tag_key: "tag", (self.promotion.get("digestKey") if self.image_of else "") or "": "digest"}
        return {key: what for key, what in own.items() if key}

    @cached_property
    def updates(self) -> list[Update]:
        """What the chart's own steps write: the keys of the values file, then `updates` by name.

        What is rendered gets the keys in another way, and what `updates` write is not committed.
        """
        found = []
        if self.own_keys and not self.rendering:
            found.append(Update(self.path, self.own_keys))
        for name, given in sorted(section(self.promotion, "updates").items()):
            for kind, update in (given or {}).items():
                keys = {key: what for key, what in section(update, "keys").items() if what}
                found.append(Update(update.get("path") or self.path, keys, ("updates", name, kind), update))
        return found


class Update(NamedTuple):
    """One thing that a promotion writes: `keys` of the YAML file at `path`, or in that folder a kustomization or Chart.yaml.

    `keys` say what is written: tag, digest, image, imageDigest, chartVersion, commitID or an expression. `at` is where it
    is said in a promotion: (), for the values file, or its place in `updates`; `given` is what is said there.
    """

    path: str
    keys: Mapping[str, str]
    at: tuple[str, ...] = ()
    given: Mapping[str, Any] = MappingProxyType({})

    @property
    def kind(self) -> str:
        """What it writes: yaml, kustomize or helmDependency."""
        return self.at[-1] if self.at else "yaml"

    @property
    def folder(self) -> str:
        """The folder that it needs."""
        return posixpath.dirname(self.path) if self.kind == "yaml" else self.path

    @property
    def target(self) -> str:
        """The file or the kustomization that it writes, which no other stage may."""
        return f"{self.path}/{CHART_FILE}" if self.kind == "helmDependency" else self.path

    @property
    def files(self) -> list[str]:
        """The files and folders that change with it."""
        if self.kind == "helmDependency":  # the step also locks and downloads all dependencies
            return [f"{self.path}/{name}" for name in (CHART_FILE, "Chart.lock", "charts")]
        return [f"{self.path}/{KUSTOMIZATIONS[0]}" if self.kind == "kustomize" else self.path]


@dataclass(frozen=True)
class Pipeline:
    """One unit: its complete `values` with `<service>` filled in, its Warehouses by key, and its stages by name."""

    values: dict[str, Any]
    warehouses: dict[str, Warehouse]
    stages: dict[str, Stage]

    @property
    def service(self) -> str:
        """The name of the service."""
        name: str = self.values["service"]["name"]
        return name

    @property
    def project(self) -> str:
        """The name of the Project and its namespace."""
        return section(self.values, "project").get("name") or PROJECT.replace("<service>", self.service)

    @property
    def image(self) -> str:
        """The repository of the service's image, "" for none."""
        return section(self.values, "image").get("repoURL") or ""

    @property
    def shard(self) -> str:
        """The name of the controller of the unit, "" for the default one."""
        return self.values.get("shard") or ""

    @property
    def shards(self) -> list[str]:
        """The names of the controllers of the Warehouses, "" for the default one."""
        return [one.given.get("shard") or self.shard for one in self.warehouses.values()]

    @property
    def order(self) -> list[str]:
        """The names of the stages, upstream ones first."""
        return pipeline_order({name: stage.given for name, stage in self.stages.items()})

    def subscriptions(self, kind: str = "") -> list[Subscription]:
        """Return the subscriptions of all Warehouses, or those of one kind."""
        return [one for each in self.warehouses.values() for one in each.subscriptions if kind in ("", one.kind)]

    def subscribed(self, stage: Stage, kind: str) -> list[Subscription]:
        """Return the subscriptions of one kind that provide what a stage is promoted with."""
        keys = [request.key for request in stage.requests]
        return [one for key in keys for one in self.warehouses[key].subscriptions if one.kind == kind]

    def provides(self, stage: Stage, kind: str) -> bool:
        """Return whether a stage is promoted with one artifact of a kind: the only one, or the same in each of its Warehouses."""
        found = self.subscribed(stage, kind)
        is_in_each = all(any(one.kind == kind for one in self.warehouses[r.key].subscriptions) for r in stage.requests)
        is_same = len({(one.repo_url, one.given.get("name")) for one in found}) == 1
        return len(found) == 1 or (is_same and is_in_each and len(found) == len(stage.requests))


def pipeline_of(values: Mapping[str, Any]) -> Pipeline:
    """Return the pipeline of a unit's complete values: the chart's defaults with all layers merged over them."""
    known: dict[str, Any] = JsonText(values).filled("service", values["service"]["name"])
    stages = {name: given for name, given in section(known, "stages").items() if given is not None}
    warehouses = warehouses_of(known)
    image = section(known, "image").get("repoURL") or ""
    having = {key for key, warehouse in warehouses.items() if has_image(warehouse, image)}
    requests = requests_of(warehouses, stages)
    usual = JsonText(_settings(known, {}))  # most stages have no settings of their own, and share this text
    varies = JsonText(stages).has("stage")
    found = {}
    for name, given in stages.items():
        is_usual = not any(given.get(key) for key in ("promotion", "git", "branch"))
        settings = (usual if is_usual else JsonText(_settings(known, given))).filled("stage", name)
        said = JsonText(given).filled("stage", name) if varies else given
        shard = said.get("shard") or known.get("shard") or ""
        image_of = tuple(request.key for request in requests[name] if request.key in having)
        found[name] = Stage(name, said, **settings, shard=shard, requests=requests[name], image_of=image_of)
    return Pipeline(known, warehouses, found)


def _settings(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return promotion and git of a stage, of which `given` is said, before `<stage>` is filled in."""
    service = values["service"]["name"]
    promotion, git = section(values, "promotion"), section(values, "git")
    if own := section(given, "promotion"):
        promotion = merge(promotion, own)
    if own := section(given, "git"):
        git = merge(git, own)
    branch = given.get("branch") or git.get("branch") or "main"
    path = promotion.get("path") or f"services/{service}/values-<stage>.yaml"
    promotion = completed({**promotion, "path": path}, service)
    update = section(promotion, "argocdUpdate")
    if update.get("enabled") and not update.get("name"):
        promotion["argocdUpdate"] = {**update, "name": f"{service}-<stage>"}
    return {"promotion": promotion, "git": {**git, "branch": branch}}
