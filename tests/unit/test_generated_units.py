"""Random values of the schema through the tool, Helm and Kargo's rules: whoever accepts, the next accepts, too.

What the tool accepts for a service is rendered by Helm, and the objects are accepted by Kargo's CRDs, webhooks and parsers.
What breaks the schema or a rule that the chart has, too, is refused by `helm install` as well, and nothing else is.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from conftest import FLEET, Tree
from contract.kargo import unit_problems
from generated_values import Values
from helm import template
from kargo_fleet.files.reading import RepositoryReader
from kargo_fleet.findings import Severity
from kargo_fleet.fleet.load import load_own
from kargo_fleet.fleet.merge import merge
from kargo_fleet.fleet.pipeline import pipeline_of
from kargo_fleet.render.renderer import render
from kargo_fleet.text import yaml_writer
from kargo_fleet.unit import rules
from kargo_fleet.unit.build import Inputs, build
from kargo_fleet.unit.values_file import values_text

#: The names of Project and service, and the kinds of extra objects, are the platform's; the CRDs are those of Kargo 1.11.
NOT_THE_SERVICES = ("service", "project", "global", "extraObjects", "kargo")


class Case(NamedTuple):
    """The values of one service, in kargo.yaml, and the tool's verdict: the values file, "" if it is refused."""

    name: str
    values: dict[str, Any]
    text: str
    refused_by_chart: list[str]


def cases(root: Path, seed: int, count: int) -> list[Case]:
    chart, fleet, _ = load_own(root)
    source = Values(chart.validator.data, seed)
    keys = [key for key in chart.validator.data["properties"] if key not in NOT_THE_SERVICES]
    inputs = Inputs(fleet, chart)
    made = []
    for number in range(count):
        name = f"s{number}"
        values = source.of_a_unit(keys)
        reader = RepositoryReader(root, {f"services/{name}/kargo.yaml": yaml_writer.document(values).encode()})
        unit = build(inputs, name, reader)
        errors = [one for one in unit.findings if one.severity is Severity.ERROR and not one.code.startswith("KF4")]
        text = "" if errors else values_text(unit.overlay, unit.sources)
        made.append(Case(name, values, text, said_by_tool(chart, whole(values, name))))
    return made


def whole(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the values as somebody without the tool writes them."""
    base = {
        "service": {"name": name},
        "image": {"repoURL": f"registry.example.com/{name}"},
        "git": {"repoURL": "https://git.example.com/platform.git"},
    }
    return _over(base, values)


def _over(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Lay a change over values, keeping its nulls for Helm."""
    result = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _over(result[key], value) if both else value
    return result


def said_by_tool(chart: Any, values: dict[str, Any]) -> list[str]:
    merged = merge(chart.defaults, values)
    found = chart.validator.problems(merged)
    if not found:
        found = rules.problems(pipeline_of(merged))
    return [problem.message for problem in found]


def what_kargo_refuses(root: Path, made: list[Case]) -> list[str]:
    """Return what Helm or Kargo refuses of that which the tool accepts."""
    chart, _, _ = load_own(root)
    found = []
    accepted = {case.name: case for case in made if case.text}
    for unit in render(chart, {name: case.text for name, case in accepted.items()}):
        values = accepted[unit.service].values
        if unit.problems:
            found.append(f"{values}: Helm refuses: {[problem.message for problem in unit.problems]}")
            continue
        objects = [one for one in yaml.load_all(unit.text, yaml.CSafeLoader) if one]
        if problems := unit_problems(objects):
            found.append(f"{values}: Kargo refuses: {problems}")
    return found


def what_the_chart_says_otherwise(root: Path, made: list[Case], folder: Path) -> list[str]:
    """Return where the tool's schema and rules, and the chart alone, do not agree."""

    def verdict(case: Case) -> str:
        file = folder / f"{case.name}.yaml"
        file.write_text(yaml_writer.document(whole(case.values, case.name)))
        result = template(case.name, root / "charts" / "kargo-service", file)
        # Placeholders, for instance, are for the tool no rule of `rules`; it refuses them all the same.
        expected = case.refused_by_chart if result.returncode == 0 else not (case.refused_by_chart or not case.text)
        if not expected:
            return ""
        return f"{case.values}: the tool says {case.refused_by_chart}, Helm {result.stderr.strip() or 'accepts'}"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [found for found in pool.map(verdict, made) if found]


def run(tree: Tree, seed: int, count: int, share: int) -> None:
    """Try `count` units, and one in `share` with the chart alone, too."""
    root = tree({"fleet.yaml": FLEET})
    made = cases(root, seed, count)
    accepted = sum(bool(case.text) for case in made)
    assert 0.2 * count < accepted < 0.9 * count, f"{accepted} of {count} are accepted, which proves little"
    folder = root / "alone"
    folder.mkdir()
    found = what_kargo_refuses(root, made) + what_the_chart_says_otherwise(root, made[::share], folder)
    assert not found, f"seed {seed}:\n" + "\n".join(found)


@pytest.mark.slow
@pytest.mark.usefixtures("oracle")
@pytest.mark.parametrize("seed", range(4))
def test_generated_units(tree: Tree, seed: int) -> None:
    run(tree, seed, count=100, share=3)


@pytest.mark.torture
@pytest.mark.usefixtures("oracle")
@pytest.mark.parametrize("part", range(20))
def test_many_generated_units(tree: Tree, part: int) -> None:
    """10,000 units, or as many as KARGO_FLEET_TORTURE_UNITS says."""
    seed = int(os.environ.get("KARGO_FLEET_TORTURE_SEED", "1")) * 1000 + part
    run(tree, seed, count=int(os.environ.get("KARGO_FLEET_TORTURE_UNITS", "10000")) // 20, share=2)
