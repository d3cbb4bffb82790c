"""kustomize: a component for each layout, a root for each service."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from bench import programs
from bench.layouts import BenchError, Object, Parameter, Reference, Text, fill, yaml_text
from bench.peers.base import JOBS, Peer, World, shell

_SCRIPT = """\
# render.sh OUT SERVICE…: one kustomize build for each service.
out=$1; shift
for service; do
  kustomize build "services/$service" --output "$out/$service.yaml"
done
"""
_API = "kustomize.config.k8s.io/v1"


class Kustomize(Peer):
    key = "kustomize"
    title = "kustomize build loop"
    how = (
        "A component for each layout with the objects and `replacements`, a root for each service with its parameters in a "
        "local ConfigMap; one process for each root, two at a time."
    )
    why_faster = "it fills parameters into finished objects: it neither merges layers nor checks anything"

    def missing(self) -> str | None:
        return programs.why_missing("kustomize", programs.binary("kustomize"))

    def version(self) -> str:
        return programs.go_version("sigs.k8s.io/kustomize/kustomize/v5")

    def prepare(self, folder: Path, world: World) -> None:
        (folder / "render.sh").write_text(_SCRIPT)
        for layout, objects in world.layouts.items():
            component = folder / "layouts" / layout
            component.mkdir(parents=True)
            (component / "objects.yaml").write_text(yaml_text(objects, lambda parameter: str(parameter.shown)))
            kustomization = {
                "apiVersion": f"{_API}alpha1",
                "kind": "Component",
                "resources": ["objects.yaml"],
                "replacements": _replacements(objects),
            }
            _write(component / "kustomization.yaml", kustomization)
        for unit in world.units:
            root = folder / "services" / unit.name
            root.mkdir(parents=True)
            kustomization = {
                "apiVersion": f"{_API}beta1",
                "kind": "Kustomization",
                "resources": ["parameters.yaml"],
                "components": [f"../../layouts/{unit.layout}"],
            }
            _write(root / "kustomization.yaml", kustomization)
            parameters = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "parameters", "annotations": {"config.kubernetes.io/local-config": "true"}},
                "data": {key: str(value) for key, value in unit.parameters.items()},
            }
            _write(root / "parameters.yaml", parameters)

    def command(self, world: World, out: Path) -> list[str]:
        target = shlex.quote(str(out))
        return shell(f"ls services | xargs -P {JOBS} -n {world.batch} sh -e render.sh {target}")


def _write(file: Path, content: Object) -> None:
    file.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False))


def _replacements(objects: list[Object]) -> list[Object]:
    """Return the replacements of a component: for each parameter and object, the fields it goes to."""
    targets: dict[str, list[Object]] = {}
    for each in objects:
        select = {"kind": each["kind"]}
        if isinstance(each["metadata"]["name"], str) and each["kind"] == "Stage":
            select["name"] = each["metadata"]["name"]
        for parameter, path, options in _places(each, ()):
            target = {"select": select, "fieldPaths": [".".join(path)]}
            targets.setdefault(parameter.name, []).append(target | ({"options": options} if options else {}))
    return [
        {"source": {"kind": "ConfigMap", "name": "parameters", "fieldPath": f"data.{name}"}, "targets": found}
        for name, found in targets.items()
    ]


def _places(value: Any, path: tuple[str, ...]) -> Iterator[tuple[Parameter, tuple[str, ...], Object]]:
    """Yield each parameter in an object with the path of its field and its part of the string."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, f"[{key}]" if "." in key else key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*path, str(index)))
    elif isinstance(value, Reference):
        yield value.parameter, path, {}
    elif isinstance(value, Text):
        for part in value.parts:
            if isinstance(part, Parameter):
                yield part, path, _part_of(value, part)


def _part_of(text: Text, parameter: Parameter) -> Object:
    """Return the delimiter and the index of the part of a string that is a parameter."""
    if text.parts == (parameter,):
        return {}
    whole = fill(text, lambda each: each.shown)
    for delimiter in ("/", "-"):
        parts = whole.split(delimiter)
        if parameter.shown in parts:
            return {"delimiter": delimiter, "index": parts.index(parameter.shown)}
    raise BenchError(f"kustomize cannot replace a part of {whole!r}")
