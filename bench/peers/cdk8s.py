"""cdk8s: a chart for each service, in one Node.js process."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bench import programs
from bench.layouts import expression
from bench.peers.base import Peer, World

_MAIN = """\
const { App, Chart, ApiObject, YamlOutputType } = require('cdk8s');
const layouts = require('./layouts');

const app = new App({ outdir: process.argv[2], yamlOutputType: YamlOutputType.FILE_PER_CHART, outputFileExtension: '.yaml' });
for (const { layout, parameters } of require('./services.json')) {
  const chart = new Chart(app, parameters.name);
  layouts[layout](parameters).forEach((object, index) => new ApiObject(chart, `object-${index}`, object));
}
app.synth();
"""


class Cdk8s(Peer):
    key = "cdk8s"
    title = "cdk8s synth"
    how = "A Chart for each service and an ApiObject for each object, in JavaScript; one process writes a file for each Chart."
    why_faster = (
        "it is one process of a just-in-time compiled language, and fills parameters into objects without checking any"
    )

    def missing(self) -> str | None:
        if shutil.which("node") is None:
            return "node is not on PATH"
        return programs.why_missing("cdk8s", programs.HOME / "cdk8s" / "node_modules" / "cdk8s")

    def version(self) -> str:
        return f"{programs.node_version('cdk8s')}, Node.js {programs.printed('node', '--version').removeprefix('v')}"

    def prepare(self, folder: Path, world: World) -> None:
        functions = [
            f"  '{name}': (p) => {expression(objects, 'p', '  ')},\n" for name, objects in world.layouts.items()
        ]
        (folder / "layouts.js").write_text("module.exports = {\n" + "".join(functions) + "};\n")
        services = [{"layout": unit.layout, "parameters": unit.parameters} for unit in world.units]
        (folder / "services.json").write_text(json.dumps(services))
        (folder / "main.js").write_text(_MAIN)
        (folder / "node_modules").symlink_to(programs.HOME / "cdk8s" / "node_modules")

    def command(self, world: World, out: Path) -> list[str]:  # noqa: ARG002
        return ["node", "main.js", str(out)]
