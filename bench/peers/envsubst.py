"""A loop of `envsubst` over templates, as in the original pattern of this product."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from bench import programs
from bench.layouts import PARAMETERS, yaml_text
from bench.peers.base import JOBS, Peer, World, shell

_SCRIPT = """\
# render.sh OUT FILE…: one envsubst for each service.
out=$1; shift
for file; do
  . "./$file"
  envsubst "$known" <"templates/$layout.yaml" >"$out/$service.yaml"
done
"""


class Envsubst(Peer):
    key = "envsubst"
    title = "envsubst loop"
    how = (
        "All objects of a layout are one template, and a service is one process, two at a time. Variables come from a file "
        "for each service. Nothing is checked: a wrong value becomes a wrong manifest."
    )
    why_faster = "it copies text and fills gaps: it neither merges layers, nor parses, nor checks anything"

    def missing(self) -> str | None:
        return None if shutil.which("envsubst") else "it is not on PATH (Debian and Ubuntu: gettext-base)"

    def version(self) -> str:
        return programs.printed("envsubst", "--version").partition(" Copyright")[0].rpartition(" ")[2]

    def prepare(self, folder: Path, world: World) -> None:
        (folder / "render.sh").write_text(_SCRIPT)
        (folder / "templates").mkdir()
        for layout, objects in world.layouts.items():
            text = yaml_text(objects, lambda parameter: f"${{{parameter.name}}}")
            (folder / "templates" / f"{layout}.yaml").write_text(text)
        known = " ".join(f"${parameter.name}" for parameter in PARAMETERS)
        (folder / "services").mkdir()
        for unit in world.units:
            lines = [f"{key}={shlex.quote(str(value))}" for key, value in unit.parameters.items()]
            lines += [f"layout={unit.layout}", f"service={unit.name}", f"known={shlex.quote(known)}"]
            exported = " ".join(unit.parameters)
            text = "\n".join([*lines, f"export {exported}", ""])
            (folder / "services" / f"{unit.name}.env").write_text(text)

    def command(self, world: World, out: Path) -> list[str]:
        target = shlex.quote(str(out))
        return shell(f"find services -name '*.env' | xargs -P {JOBS} -n {world.batch} sh -e render.sh {target}")
