"""`kargo-fleet render`: the chart of this repository, rendered by the tool itself."""

from __future__ import annotations

from pathlib import Path

from bench import programs
from bench.peers.base import Peer, World


class Ours(Peer):
    key = "ours"
    title = "kargo-fleet render"
    how = "One call, from `fleet.yaml` and `services/`: it also merges and validates the values; the others start from merged values."

    def missing(self) -> str | None:
        words = programs.printed(str(programs.KARGO_FLEET), "render", "--help")
        return None if "--output-dir" in words else "kargo-fleet has no command `render`"

    def version(self) -> str:
        return programs.printed(str(programs.KARGO_FLEET), "--version").removeprefix("kargo-fleet ")

    def prepare(self, folder: Path, world: World) -> None:
        pass

    def command(self, world: World, out: Path) -> list[str]:
        return [str(programs.KARGO_FLEET), "-C", str(world.fleet), "render", "--output-dir", str(out)]
