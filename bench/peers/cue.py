"""CUE: a definition for each layout, all services in one process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bench import programs
from bench.layouts import Object, expression, references
from bench.peers.base import Peer, World

_MAIN = """\
package fleet

services: [...{layout: string, parameters: {...}}]
manifests: {
	apiVersion: "v1"
	kind:       "List"
	items: [
		for service in services
		for object in (#layouts[service.layout] & {p: service.parameters}).objects {object},
	]
}
"""
_MODULE = """\
module: "example.com/fleet"
language: version: "v0.14.0"
"""


class Cue(Peer):
    key = "cue"
    title = "cue export"
    how = (
        "A definition for each layout, the parameters as one file, one process for all. `cue export` has one output, so it "
        "writes one JSON file, a List of the objects of all services; `cue cmd` could write a file for each, and takes several "
        "times as long."
    )
    why_faster = (
        "it is one process of a compiled language, which fills parameters into objects and writes a single file"
    )

    def missing(self) -> str | None:
        return programs.why_missing("cue", programs.binary("cue"))

    def version(self) -> str:
        return programs.go_version("cuelang.org/go")

    def prepare(self, folder: Path, world: World) -> None:
        (folder / "cue.mod").mkdir()
        (folder / "cue.mod" / "module.cue").write_text(_MODULE)
        definitions = "".join(_definition(name, objects) for name, objects in world.layouts.items())
        (folder / "layouts.cue").write_text(f"package fleet\n\n#layouts: {{\n{definitions}}}\n")
        (folder / "main.cue").write_text(_MAIN)
        services = [{"layout": unit.layout, "parameters": unit.parameters} for unit in world.units]
        (folder / "services.cue").write_text(f"package fleet\n\nservices: {json.dumps(services)}\n")

    def command(self, world: World, out: Path) -> list[str]:  # noqa: ARG002
        return [
            str(programs.binary("cue")),
            "export",
            "-e",
            "manifests",
            "--out",
            "json",
            "--outfile",
            f"{out}/all.json",
        ]

    def outputs(self, out: Path, service: str) -> list[Path]:  # noqa: ARG002
        return [out / "all.json"]

    def read(self, out: Path, services: Sequence[str]) -> dict[str, list[Object]]:
        found: dict[str, list[Object]] = {service: [] for service in services}
        for each in json.loads((out / "all.json").read_bytes())["items"]:
            metadata = each["metadata"]
            service = metadata.get("namespace", metadata["name"]).removeprefix("kargo-")
            if service in found:
                found[service].append(each)
        return found


def _definition(layout: str, objects: list[Object]) -> str:
    types = {name: "int" if name == "discoveryLimit" else "string" for name in references(objects)}
    fields = "".join(f"\t\t\t{name}: {kind}\n" for name, kind in types.items()) + "\t\t\t...\n"
    return f"\t{json.dumps(layout)}: {{\n\t\tp: {{\n{fields}\t\t}}\n\t\tobjects: {expression(objects, 'p', chr(9) * 2)}\n\t}}\n"
