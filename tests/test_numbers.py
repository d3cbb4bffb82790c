"""A number on a page is that of the code, or of the measurement, that it comes from."""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path

import pytest
import yaml

import helm
import samples
from kargo_fleet.argocd.settings import DEFAULTS
from kargo_fleet.capacity.assumptions import Assumptions
from kargo_fleet.clients import retrying
from kargo_fleet.cluster import collect
from kargo_fleet.fleet.merge import merge
from kargo_fleet.fleet.sections import DEFAULT_PRUNE_SHARE
from kargo_fleet.rollout import deletion
from product import need, needs

ROOT = Path(__file__).parents[1]
CHART_DEFAULTS = yaml.safe_load((helm.CHART / "values.yaml").read_text())


@functools.cache
def _measured(table: str, row: str) -> str:
    """Return what docs/benchmarks.md, which is generated, has for 10,000 services."""
    section = (ROOT / "docs/benchmarks.md").read_text().partition(f"\n## {table}\n")[2].partition("\n## ")[0]
    (cells,) = re.findall(rf"^\| {re.escape(row)} \| (.+) \|$", section, re.MULTILINE)
    return str(cells.split(" | ")[-1])


def _goal(row: str) -> str:
    section = (ROOT / "docs/benchmarks.md").read_text().partition("\n## Goals\n")[2].partition("\n## ")[0]
    (measured,) = re.findall(rf"^\| {re.escape(row)} \| [^|]+ \| ([^|]+) \|", section, re.MULTILINE)
    return str(measured)


RENDER = _measured("Rendering", "kargo-fleet render")
FROM_SCRATCH = _measured("Scan and values", "generate, from scratch")
UNCHANGED = _measured("Scan and values", "generate, nothing to do")
CHECK = _measured("Scan and values", "check")
CHECK_ANEW = _measured("Scan and values", "check, --no-cache")

# Page, pattern with one group for each number, the numbers.
CLAIMS = [
    ("README.md", r"10,000 units take it ([\d.]+ s)", (RENDER,)),
    ("README.md", r"`envsubst` does in ([\d.]+ s)", (_measured("Rendering", "envsubst loop"),)),
    ("CHANGELOG.md", r"take ([\d.]+ s) from scratch and ([\d.]+ s)\s+when nothing changed", (FROM_SCRATCH, UNCHANGED)),
    ("docs/rendering.md", r"10,000 services take ([\d.]+ s) and (\d+ MB)", (RENDER, _goal("peak memory of render"))),
    ("docs/architecture.md", r"10,000 services takes ([\d.]+ s), and ([\d.]+ s) when", (CHECK_ANEW, CHECK)),
    ("docs/architecture.md", r"within one Helm process: ([\d.]+ s)", (RENDER,)),
    ("docs/first-service.md", r"Within (\w+) minutes \(`warehouse.interval`\)", ("five",)),
    ("docs/integration.md", r"Warehouse, every (\d+) minutes", (CHART_DEFAULTS["warehouse"]["interval"].rstrip("m"),)),
    (
        "docs/configuration.md",
        r"kept as candidates \(default: (\d+)\)",
        (str(CHART_DEFAULTS["image"]["discoveryLimit"]),),
    ),
    (
        "docs/argocd.md",
        r"`requeueAfterSeconds` \((\d+) minutes\)",
        (str(DEFAULTS["units"]["requeueAfterSeconds"] // 60),),
    ),
    ("docs/scaling.md", r"`argocd.units.maxApplications` \(([\d,]+)\)", (f"{DEFAULTS['units']['maxApplications']:,}",)),
    (
        "docs/scaling.md",
        r"`argocd.units.requeueAfterSeconds` \((\d+)\)",
        (str(DEFAULTS["units"]["requeueAfterSeconds"]),),
    ),
    (
        "docs/scaling.md",
        r"counts (\d+) ms per Application .* and (\d+) ms per new one",
        (
            f"{1000 * Assumptions().seconds_per_application:.0f}",
            f"{1000 * Assumptions().seconds_per_new_application:.0f}",
        ),
    ),
    ("docs/doctor.md", r"One per kind and (\d+) objects", (str(collect._PAGE),)),
]

WORDS = {"half a second": 0.5, "two minutes": 120, "five minutes": 300, "a tenth": 0.1}
#: The same for numbers in words.
SAID = [
    ("docs/deploying.md", r"for up to (five minutes), with pauses", retrying._LONGEST),
    ("docs/deploying.md", r"kubectl waits (two minutes) for an object", deletion._WAIT),
    ("docs/removing.md", r"more than (a tenth) of the fleet", DEFAULT_PRUNE_SHARE),
]


@pytest.mark.parametrize(("page", "claim", "numbers"), CLAIMS, ids=lambda value: str(value)[:50])
def test_a_number_is_that_of_its_source(page: str, claim: str, numbers: tuple[str, ...]) -> None:
    need(page)
    found = re.findall(claim, (ROOT / page).read_text())
    assert found, f"{page} has other words now: change the pattern"
    assert {match if isinstance(match, tuple) else (match,) for match in found} == {numbers}


@pytest.mark.parametrize(("page", "claim", "number"), SAID, ids=lambda value: str(value)[:50])
def test_a_number_in_words_is_that_of_its_source(page: str, claim: str, number: float) -> None:
    need(page)
    found = re.findall(claim, (ROOT / page).read_text())
    assert found, f"{page} has other words now: change the pattern"
    assert {WORDS[words] for words in found} == {number}


@needs("README.md")
def test_objects_per_service_are_those_of_the_table() -> None:
    """README.md compares ways to own Kargo by objects per service; docs/scaling.md has the objects of 1,000."""
    table = dict(
        re.findall(r"^\| (Objects that [^|]+) \| [\d,]+ \| ([\d,]+) \|", _page("docs/scaling.md"), re.MULTILINE)
    )
    chart, others = (int(number.replace(",", "")) for number in table.values())
    (total, added) = re.findall(r"\[(\d+)\]\(docs/scaling\.md\), of which [^|]* add (\d+)", _page("README.md"))[0]
    assert (int(total), int(added)) == (round((chart + others) / 1000), round(others / 1000))


@needs("README.md")
def test_the_readme_counts_the_objects_of_a_unit() -> None:
    objects = helm.render("nginx", helm.CHART, samples.EXPECTED / "values" / "nginx.yaml")
    assert len(objects) == 7
    assert "Seven objects per service" in _page("README.md")


def _page(name: str) -> str:
    return (ROOT / name).read_text()


def _defaults(page: str, key: str) -> dict[str, object]:
    """Return the first YAML block of a page that has every default of a section of fleet.yaml."""
    blocks = re.findall(rf"```yaml[^\n]*\n({key}:\n.*?)```", _page(page), re.DOTALL)
    return dict(yaml.safe_load(blocks[0])[key])


def test_the_defaults_of_capacity_are_those_of_the_code() -> None:
    shown = max(re.findall(r"```yaml[^\n]*\ncapacity:\n.*?```", _page("docs/scaling.md"), re.DOTALL), key=len)
    section = yaml.safe_load(shown.partition("\n")[2].removesuffix("```"))["capacity"]
    assert Assumptions().changed(section) == Assumptions()
    assert len(section) == len(dataclasses.fields(Assumptions))


def test_the_defaults_of_argocd_are_those_of_the_code() -> None:
    shown = _defaults("docs/argocd.md", "argocd")
    assert merge(DEFAULTS, shown) == DEFAULTS
    assert shown["units"] == DEFAULTS["units"]
    assert {key: shown[key] for key in shown if key not in ("units", "workloads")} == {
        key: DEFAULTS[key] for key in DEFAULTS if key not in ("units", "workloads")
    }
