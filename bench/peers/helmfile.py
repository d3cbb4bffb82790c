"""helmfile: a release for each service, of the same chart with the same values files."""

from __future__ import annotations

from pathlib import Path

import yaml

from bench import programs
from bench.layouts import CHART
from bench.peers.base import JOBS, Peer, World


class Helmfile(Peer):
    key = "helmfile"
    title = "helmfile template"
    how = (
        "One `helmfile.yaml` with a release for each service, this repository's chart and the generated values files as they "
        "are; `--skip-deps` as there are none, and its own `--concurrency` for both cores. It calls helm for each release."
    )

    def missing(self) -> str | None:
        return programs.why_missing("helmfile", programs.binary("helmfile"))

    def version(self) -> str:
        return programs.go_version("github.com/helmfile/helmfile")

    def prepare(self, folder: Path, world: World) -> None:
        releases = [
            {"name": unit.name, "chart": str(CHART), "values": [str(world.fleet / "values" / f"{unit.name}.yaml")]}
            for unit in world.units
        ]
        (folder / "helmfile.yaml").write_text(yaml.dump({"releases": releases}, Dumper=yaml.CSafeDumper))

    def command(self, world: World, out: Path) -> list[str]:  # noqa: ARG002
        options = ["--skip-deps", f"--concurrency={JOBS}", "--output-dir", str(out)]
        directory = "{{ .OutputDir }}/{{ .Release.Name }}"
        program = [str(programs.binary("helmfile")), "--quiet", "--helm-binary", str(programs.HELM)]
        return [*program, "template", *options, "--output-dir-template", directory]

    def outputs(self, out: Path, service: str) -> list[Path]:
        return sorted((out / service).rglob("*.yaml"))
