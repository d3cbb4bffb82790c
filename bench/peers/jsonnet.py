"""Jsonnet: a function for each layout, all services in one process."""

from __future__ import annotations

import json
from pathlib import Path

from bench import programs
from bench.layouts import expression
from bench.peers.base import Peer, World

_MAIN = """\
local layouts = import 'layouts.libsonnet';
local services = import 'services.json';
{
  [service.parameters.name + '.json']: {
    apiVersion: 'v1',
    kind: 'List',
    items: layouts[service.layout](service.parameters),
  }
  for service in services
}
"""


class Jsonnet(Peer):
    key = "jsonnet"
    title = "jsonnet -m"
    how = (
        "A function for each layout, the parameters as one JSON file, one process for all (go-jsonnet, `-m`: a file for each "
        "service). It writes JSON, which kubectl and Argo CD take as well."
    )
    why_faster = "it is one process of a compiled language, and fills parameters into objects without checking any"

    def missing(self) -> str | None:
        return programs.why_missing("jsonnet", programs.binary("jsonnet"))

    def version(self) -> str:
        return f"go-jsonnet {programs.go_version('github.com/google/go-jsonnet')}"

    def prepare(self, folder: Path, world: World) -> None:
        functions = [f"  '{name}'(p):: {expression(objects, 'p', '  ')},\n" for name, objects in world.layouts.items()]
        (folder / "layouts.libsonnet").write_text("{\n" + "".join(functions) + "}\n")
        services = [{"layout": unit.layout, "parameters": unit.parameters} for unit in world.units]
        (folder / "services.json").write_text(json.dumps(services))
        (folder / "main.jsonnet").write_text(_MAIN)

    def command(self, world: World, out: Path) -> list[str]:  # noqa: ARG002
        return [str(programs.binary("jsonnet")), "-m", str(out), "main.jsonnet"]

    def outputs(self, out: Path, service: str) -> list[Path]:
        return [out / f"{service}.json"]
