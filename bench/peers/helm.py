"""A loop of `helm template`: the same chart and the same values files, one process for each service."""

from __future__ import annotations

import shlex
from pathlib import Path

from bench import programs
from bench.layouts import CHART
from bench.peers.base import JOBS, Peer, World, shell

_SCRIPT = """\
# render.sh CHART VALUES OUT SERVICE…: one helm template for each service.
chart=$1 values=$2 out=$3; shift 3
for service; do
  helm template "$service" "$chart" --values "$values/$service.yaml" >"$out/$service.yaml"
done
"""


class Helm(Peer):
    key = "helm"
    title = "helm template loop"
    how = "This repository's chart and the generated values files as they are; one process for each service, two at a time."

    def missing(self) -> str | None:
        return programs.why_missing("helm", programs.HELM)

    def version(self) -> str:
        return programs.printed(str(programs.HELM), "version", "--template", "{{.Version}}").removeprefix("v")

    def prepare(self, folder: Path, world: World) -> None:
        (folder / "render.sh").write_text(_SCRIPT)
        (folder / "services").write_text("".join(f"{unit.name}\n" for unit in world.units))

    def command(self, world: World, out: Path) -> list[str]:
        paths = " ".join(shlex.quote(str(path)) for path in (CHART, world.fleet / "values", out))
        return shell(f"xargs -P {JOBS} -n {world.batch} sh -e render.sh {paths} <services")
