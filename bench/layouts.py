"""The layouts of the bench fleet's units, derived from the chart: the peers' projects are generated from them.

A peer must render the same objects as the chart. Manual copies of the chart would drift from it. So each layout (a list of
objects) is rendered once by `helm template`, with a placeholder value for each parameter, and every peer writes those objects
in its own language, with a reference in place of the placeholder.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from bench import programs

ROOT: Final = programs.ROOT
CHART: Final = ROOT / "charts" / "kargo-service"

Object = dict[str, Any]
Values = dict[str, Any]


class BenchError(Exception):
    """The benchmark cannot continue, or would not be fair."""


@dataclass(frozen=True)
class Parameter:
    """A value that differs between services.

    `path` is its path in the values, `given` its placeholder value, `shown` the rendered form of that.
    """

    name: str
    path: tuple[str, ...]
    given: Any
    shown: Any
    is_duration: bool = False

    def of(self, values: Values) -> Any:
        """Return the parameter's value in complete values, in the form that the chart renders; None if it is not set."""
        value: Any = values
        for key in self.path:
            value = (value or {}).get(key)
        return go_duration(value) if self.is_duration and value else value


#: The name has no dash: kustomize can then replace it as one part of `kargo-<name>`.
NAME: Final = Parameter("name", ("service", "name"), "sentinelname", "sentinelname")
PARAMETERS: Final = (
    NAME,
    Parameter("constraint", ("image", "constraint"), "^97.97.97", "^97.97.97"),
    Parameter("discoveryLimit", ("image", "discoveryLimit"), 97, 97),
    Parameter("interval", ("warehouse", "interval"), "71m11s", "1h11m11s", True),
    Parameter("stagingSoak", ("stages", "staging", "requiredSoakTime"), "71m12s", "1h11m12s", True),
    Parameter("prodSoak", ("stages", "prod", "requiredSoakTime"), "71m13s", "1h11m13s", True),
    Parameter("color", ("stages", "prod", "color"), "#97a97b", "#97a97b"),
    Parameter("description", ("project", "description"), "sentinel description", "sentinel description"),
)
_BY_TEXT: Final = {str(parameter.shown): parameter for parameter in PARAMETERS}
_TEXTS: Final = re.compile("|".join(re.escape(str(p.shown)) for p in PARAMETERS if isinstance(p.shown, str)))


@dataclass(frozen=True)
class Reference:
    """A parameter that is a whole value and not a string: a number."""

    parameter: Parameter


@dataclass(frozen=True)
class Text:
    """A string that contains parameters."""

    parts: tuple[str | Parameter, ...]


@dataclass(frozen=True)
class Unit:
    """A service as input of the peers: its layout and its parameters."""

    name: str
    layout: str
    parameters: dict[str, Any]


def go_duration(text: str) -> str:
    """Return a duration as Go writes it: 90m → 1h30m0s."""
    length = {"h": 3600, "m": 60, "s": 1}
    seconds = sum(int(number) * length[unit] for number, unit in re.findall(r"(\d+)([hms])", text))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{seconds % 60}s"


def layout_of(values: Values) -> str:
    """Return the name of a values file's layout: whether it has its own stages and access rules."""
    return ("own" if "stages" in values else "plain") + ("-restricted" if "rbac" in values else "")


def load(file: Path) -> Values:
    values: Values = yaml.load(file.read_bytes(), yaml.CSafeLoader)
    return values


def _merged(under: Values, over: Values) -> Values:
    both = under.keys() & over.keys()
    nested = {k: _merged(under[k], over[k]) for k in both if isinstance(under[k], dict) and isinstance(over[k], dict)}
    return {**under, **over, **nested}


def units(fleet: Path) -> list[Unit]:
    """Return the services of a generated fleet, from its values files and the chart's defaults."""
    defaults = load(CHART / "values.yaml")
    found = []
    for file in sorted((fleet / "values").glob("*.yaml")):
        values = load(file)
        complete = _merged(defaults, values)
        parameters = {p.name: value for p in PARAMETERS if (value := p.of(complete)) not in (None, "")}
        found.append(Unit(file.stem, layout_of(values), parameters))
    return found


def helm_template(name: str, values: Path) -> list[Object]:
    """Return the objects that the chart renders for a service."""
    command = [str(programs.HELM), "template", name, str(CHART), "--values", str(values)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise BenchError(f"helm template {name}: {done.stderr.decode().strip()}")
    return [document for document in yaml.load_all(done.stdout, yaml.CSafeLoader) if document]


def derive(fleet: Path, scratch: Path) -> dict[str, list[Object]]:
    """Return the objects of each layout in a fleet, with Text and Reference in place of parameters."""
    examples: dict[str, Path] = {}
    for file in sorted((fleet / "values").glob("*.yaml")):
        if len(examples) < 4:
            examples.setdefault(layout_of(load(file)), file)
    layouts = {}
    for layout, file in sorted(examples.items()):
        values = scratch / f"{layout}.yaml"
        values.write_text(yaml.safe_dump(_with_sentinels(load(file), file.stem)))
        layouts[layout] = [_learn(document) for document in helm_template(NAME.given, values)]
    return layouts


def _with_sentinels(values: Values, name: str) -> Values:
    """Set each parameter to its placeholder value, unless its section is optional and not in the values."""
    sentinels: Values = json.loads(json.dumps(values).replace(name, NAME.given))
    for parameter in PARAMETERS:
        if parameter.path[0] in ("stages", "project") and parameter.path[0] not in values:
            continue
        place = sentinels
        for key in parameter.path[:-1]:
            place = place.setdefault(key, {})
        place[parameter.path[-1]] = parameter.given
    if "stages" in values:  # the fleet gives the project and its stage prod the same description
        sentinels["stages"]["prod"]["description"] = sentinels["project"]["description"]
    return sentinels


def _learn(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _learn(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_learn(inner) for inner in value]
    if isinstance(value, str) and _TEXTS.search(value):
        return Text(tuple(_parts(value)))
    if isinstance(value, int) and str(value) in _BY_TEXT:
        return Reference(_BY_TEXT[str(value)])
    return value


def _parts(text: str) -> Iterator[str | Parameter]:
    end = 0
    for found in _TEXTS.finditer(text):
        if found.start() > end:
            yield text[end : found.start()]
        yield _BY_TEXT[found[0]]
        end = found.end()
    if end < len(text):
        yield text[end:]


def fill(value: Any, say: Callable[[Parameter], Any]) -> Any:
    """Return the objects of a layout with each parameter replaced by the result of `say`."""
    if isinstance(value, dict):
        return {key: fill(inner, say) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, say) for inner in value]
    if isinstance(value, Reference):
        return say(value.parameter)
    if isinstance(value, Text):
        return "".join(part if isinstance(part, str) else str(say(part)) for part in value.parts)
    return value


def references(objects: list[Object]) -> list[str]:
    """Return the names of a layout's parameters."""
    found: dict[str, None] = {}

    def note(parameter: Parameter) -> str:
        found[parameter.name] = None
        return ""

    fill(objects, note)
    return list(found)


def expression(value: Any, scope: str, indent: str = "") -> str:
    """Return objects as JSON with references `<scope>.<parameter>`, which is an expression in Jsonnet, CUE and JavaScript."""
    inner = indent + "  "
    if isinstance(value, dict):
        entries = [f"{inner}{json.dumps(key)}: {expression(item, scope, inner)},\n" for key, item in value.items()]
        return "{\n" + "".join(entries) + indent + "}"
    if isinstance(value, list):
        return "[\n" + "".join(f"{inner}{expression(item, scope, inner)},\n" for item in value) + indent + "]"
    if isinstance(value, Reference):
        return f"{scope}.{value.parameter.name}"
    if isinstance(value, Text):
        return " + ".join(json.dumps(p) if isinstance(p, str) else f"{scope}.{p.name}" for p in value.parts)
    return json.dumps(value)


class _Dumper(yaml.SafeDumper):
    """Writes no aliases: some programs that read the result do not support them."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def yaml_text(objects: list[Object], say: Callable[[Parameter], str]) -> str:
    """Return objects as a YAML stream, with each parameter replaced by the result of `say`.

    Strings with parameters are quoted, because the replacement can be any string.
    """

    def text(dumper: _Dumper, value: Text) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", fill(value, say), style='"')

    def number(dumper: _Dumper, value: Reference) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:int", say(value.parameter))

    class Dumper(_Dumper):
        pass

    Dumper.add_representer(Text, text)
    Dumper.add_representer(Reference, number)
    written: str = yaml.dump_all(objects, Dumper=Dumper, sort_keys=False, width=4096)
    return written


def by_identity(objects: list[Object]) -> Mapping[tuple[str, str, str], Object]:
    """Return objects by kind, namespace and name, to compare them in any order. Lists are expanded."""
    flat = [item for each in objects for item in (each["items"] if each.get("kind") == "List" else [each])]
    found = {}
    for item in flat:
        metadata = item["metadata"]
        found[item["kind"], metadata.get("namespace", ""), metadata["name"]] = item
    if len(found) != len(flat):
        raise BenchError("an object occurs twice")
    return found
