"""kapitan: an inventory with a target for each service, a Jinja2 template for each layout."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from bench import programs
from bench.layouts import Object, yaml_text
from bench.peers.base import JOBS, Peer, World


class Kapitan(Peer):
    key = "kapitan"
    title = "kapitan compile"
    how = (
        "A class and a Jinja2 template for each layout, a target for each service, with the inventory backend reclass-rs, "
        "the fastest it has, and `--parallelism` for both cores."
    )
    why_faster = "it fills parameters into text templates, which checks nothing"

    def missing(self) -> str | None:
        return programs.why_missing("kapitan", programs.HOME / "kapitan" / "bin" / "kapitan")

    def version(self) -> str:
        return f"{programs.python_version('kapitan')}, reclass-rs {programs.python_version('reclass-rs')}"

    def prepare(self, folder: Path, world: World) -> None:
        for name in ("templates", "inventory/classes", "inventory/targets"):
            (folder / name).mkdir(parents=True)
        for layout, objects in world.layouts.items():
            (folder / "templates" / f"{layout}.yaml").write_text(_jinja(objects))
            item = {"input_type": "jinja2", "input_paths": [f"templates/{layout}.yaml"], "output_path": "."}
            parameters = {"target_name": "${_reclass_:name:short}", "kapitan": {"compile": [item]}}
            _write(folder / "inventory" / "classes" / f"{layout}.yml", {"parameters": parameters})
        for unit in world.units:
            parameters = {"unit": unit.parameters, "kapitan": {"vars": {"target": unit.name}}}
            target = {"classes": [unit.layout], "parameters": parameters}
            _write(folder / "inventory" / "targets" / f"{unit.name}.yml", target)

    def command(self, world: World, out: Path) -> list[str]:  # noqa: ARG002
        program = str(programs.HOME / "kapitan" / "bin" / "kapitan")
        return [
            program,
            "compile",
            "--inventory-backend=reclass-rs",
            f"--parallelism={JOBS}",
            "--output-path",
            str(out),
        ]

    def outputs(self, out: Path, service: str) -> list[Path]:
        return sorted((out / "compiled" / service).rglob("*.yaml"))


def _write(file: Path, content: Object) -> None:
    file.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False))


def _jinja(objects: list[Object]) -> str:
    """Return the template of a layout. Kargo's ${{ }} are not Jinja2."""
    text = yaml_text(objects, lambda parameter: f"@@{parameter.name}@@")
    text = re.sub(r"\{\{|\}\}", lambda found: f"{{{{ '{found[0]}' }}}}", text)
    return re.sub(r"@@(\w+)@@", r"{{ unit.\1 }}", text).replace("{{ unit.", "{{ inventory.parameters.unit.")
