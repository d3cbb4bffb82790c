"""What a stage renders onto a branch (`promotion.render`), as templates/_render.tpl has it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, NamedTuple

_KINDS = ("helm", "kustomize")


class Rendering(NamedTuple):
    """Manifests on a branch: `kind` is helm or kustomize, `given` its settings, `out_path` the folder or file on `branch`.

    `out_path` is "" for the whole branch. `values_files` are those that a chart is rendered with.
    """

    kind: str
    given: Mapping[str, Any]
    branch: str
    out_path: str
    values_files: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The folder of the chart or the kustomization, "" when none is said."""
        return self.given.get("path") or ""

    @property
    def folders(self) -> list[str]:
        """The folders that it is made of, from the root of the repository."""
        return list(dict.fromkeys([self.path, *map(posixpath.dirname, self.values_files)]))

    @property
    def out_folder(self) -> str:
        """The folder on the branch that it is written to, "" for its root."""
        is_file = self.out_path.endswith((".yaml", ".yml"))
        return posixpath.dirname(self.out_path) if is_file else self.out_path


def kinds_of(promotion: Mapping[str, Any]) -> list[str]:
    """Return what a promotion renders: nothing, or one of helm and kustomize, or both, which is an error."""
    render = promotion.get("render") or {}
    return [kind for kind in _KINDS if isinstance(render.get(kind), dict)]


def completed(promotion: Mapping[str, Any], service: str) -> dict[str, Any]:
    """Return a promotion whose `render`, if there is one, says branch and folder."""
    if not kinds_of(promotion):
        return dict(promotion)
    render = promotion["render"]
    out_path = posixpath.normpath(render.get("outPath") or service)
    known = {"branch": render.get("branch") or "stage/<stage>", "outPath": "" if out_path == "." else out_path}
    return {**promotion, "render": {**render, **known}}


def rendering_of(promotion: Mapping[str, Any]) -> Rendering | None:
    """Return what a completed promotion renders, None for nothing."""
    kinds = kinds_of(promotion)
    if not kinds:
        return None
    render, kind = promotion["render"], kinds[0]
    given = render[kind]
    files = given.get("valuesFiles")
    files = () if kind != "helm" else (promotion["path"],) if files is None else tuple(files)
    return Rendering(kind, given, render["branch"], render["outPath"], files)
