"""What an editor tells about a key of fleet.yaml and kargo.yaml: every key has a description, and its real default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from conftest import Run, Tree
from helm import CHART
from kargo_fleet.argocd.settings import DEFAULTS, argo_fleet
from kargo_fleet.capacity.assumptions import Assumptions
from kargo_fleet.commands.schema import FROM_FLEET, contents
from kargo_fleet.fleet.chart import read_chart
from kargo_fleet.fleet.load import load
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.editor_schema import resolved

KeyPath = tuple[str, ...]
Schema = dict[str, Any]
HERE = Path(__file__).parent
VALUES: dict[str, Any] = read_chart(HERE, None).defaults
GENERATED: dict[str, Schema] = {name: json.loads(text) for name, text in contents(HERE).items()}
FLEET, SERVICE = GENERATED["fleet.schema.json"], GENERATED["kargo.schema.json"]
SCHEMAS = {**GENERATED, "values.schema.json": json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))}
each_schema = pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)


def keys(node: Any, above: KeyPath = ()) -> Iterator[tuple[KeyPath, Schema]]:
    """Yield every property, wherever `properties` stands in a schema, with its path."""
    if isinstance(node, list):
        for inner in node:
            yield from keys(inner, above)
    if not isinstance(node, dict):
        return
    for keyword, inner in node.items():
        if keyword in ("properties", "definitions"):
            for key, schema in inner.items():
                if keyword == "properties":
                    yield (*above, key), schema
                yield from keys(schema, (*above, key))
        elif keyword not in ("default", "enum"):
            yield from keys(inner, above)


def at(root: Schema, path: str) -> Schema:
    """Return what an editor finds at a path: the key itself over the definition that it refers to."""
    node = root
    for part in path.split("."):
        target = resolved(root, node)
        node = target.get("properties", {}).get(part) or target["additionalProperties"]
    return {**resolved(root, node), **node}


def shown(root: Schema, path: str) -> tuple[str, Any]:
    found = at(root, path)
    return found["description"], found.get("default")


def leaves(values: Mapping[str, Any], root: Schema, above: KeyPath = ()) -> Iterator[tuple[str, Any]]:
    """Yield each key of `values` down to where the schema lists no more keys, with its value."""
    for key, value in values.items():
        path = (*above, key)
        if isinstance(value, dict) and "properties" in at(root, ".".join(path)):
            yield from leaves(value, root, path)
        else:
            yield ".".join(path), value


@each_schema
def test_every_key_has_a_description(schema: Schema) -> None:
    found = list(keys(schema))
    assert len(found) > 150
    assert [".".join(path) for path, node in found if not node.get("description")] == []
    for path, node in found:
        text = node["description"]
        assert text.endswith("."), f"{path}: {text}"
        assert text.strip(" .").lower() != path[-1].lower(), path


@each_schema
def test_defaults_are_valid(schema: Schema) -> None:
    for path, node in keys(schema):
        if "default" in node:
            one = {"definitions": schema["definitions"], **resolved(schema, node)}
            assert jsonschema_rs.validator_for(one).is_valid(node["default"]), (path, node["default"])


@pytest.mark.parametrize(
    ("root", "above", "values"),
    [
        (SCHEMAS["values.schema.json"], "", VALUES),
        (SERVICE, "", {key: value for key, value in VALUES.items() if key not in ("service", "global")}),
        (FLEET, "values.", VALUES),
        (FLEET, "groups.payments.values.", VALUES),
        (FLEET, "argocd.", DEFAULTS),
        (FLEET, "capacity.", Assumptions().as_settings()),
    ],
    ids=["values.schema.json", "kargo.yaml", "values", "groups", "argocd", "capacity"],
)
def test_defaults_are_those_of_the_product(root: Schema, above: str, values: dict[str, Any]) -> None:
    start = tuple(above.rstrip(".").split(".")) if above else ()
    expected = dict(leaves(values, root, start))
    assert len(expected) > 20
    if root is SERVICE or above.endswith("values."):
        expected |= {above + path: "no default" for path in FROM_FLEET if above + path in expected}
    assert {path: at(root, path).get("default", "no default") for path in expected} == expected


def test_keys_that_fleet_yaml_gives_values_are_not_completed_with_the_chart_s(tree: Tree, run: Run) -> None:
    root = tree(
        {
            "fleet.yaml": "image: {registry: registry.example.com}\n"
            "git: {repoURL: 'https://github.com/example/platform.git', branch: trunk}\n"
            "services: apps\nshards: [east]\n",
            **{f"apps/web/values-{stage}.yaml": "image:\n  tag: 1.0.0\n" for stage in ("dev", "staging", "prod")},
        }
    )
    assert run("generate").status == 0
    given = yaml_reader.parse((root / "values/web.yaml").read_text(encoding="utf-8"))
    assert {
        path for path, _ in leaves(given, FLEET["definitions"]["values"] | {"definitions": FLEET["definitions"]})
    } == {*FROM_FLEET}


def test_defaults_of_fleet_yaml_are_what_a_fleet_without_one_has(tmp_path: Path) -> None:
    fleet = load(tmp_path).fleet
    argocd = argo_fleet({"shards": [{"name": "a"}]})
    assert at(FLEET, "services")["default"] == fleet.services == argocd.layout.parent
    assert at(FLEET, "prune.maxShare")["default"] == fleet.max_prune_share
    assert at(FLEET, "git.branch")["default"] == argocd.revision == VALUES["git"]["branch"]
    assert at(FLEET, "chart.path")["default"] == argocd.chart.path
    assert FLEET["properties"]["shards"]["items"]["properties"]["weight"]["default"] == argocd.shards[0].weight


def test_keys_that_have_to_be_set_have_no_default() -> None:
    for path in ("image.registry", "git.repoURL", "groups.payments.image.registry"):
        assert "default" not in at(FLEET, path), path


@pytest.mark.parametrize(
    ("root", "path", "description", "default"),
    [
        (
            SERVICE,
            "promotion.pullRequest.enabled",
            (
                "Open a pull request and wait until it is merged, instead of pushing to the branch. "
                "Default of the chart: `false`."
            ),
            False,
        ),
        (
            SERVICE,
            "stages.dev.requiredSoakTime",
            "How long Freight must have been in the upstream stage, for example `1h`. Default: no time.",
            None,
        ),
        (SERVICE, "stages.dev", "One stage of the pipeline. `null` removes it.", None),
        (SERVICE, "stages.dev.promotion", "The keys of `promotion`, for this stage.", None),
        (SERVICE, "warehouse.labels", "Additional labels of the Warehouse (webhook receivers can select by them).", {}),
        (
            SERVICE,
            "image.repoURL",
            (
                "Image repository, without scheme and tag. Required. With kargo-fleet, the default is "
                "`<registry>/<service>` with `image.registry` of fleet.yaml."
            ),
            None,
        ),
        (FLEET, "values", "Chart values for every service.", None),
        (FLEET, "groups.payments.values", "Chart values for the services of this group.", None),
        (
            FLEET,
            "values.warehouse.freightCreationPolicy",
            (
                "`Automatic`: Kargo creates Freight from new images. `Manual`: Freight is created by hand. "
                "Default of the chart: `Automatic`."
            ),
            "Automatic",
        ),
        (
            FLEET,
            "argocd.units.maxApplications",
            (
                "Maximum number of Applications in a set; above it, the set is split into 2, 4, 8 … by a hash of the name. "
                "Default: `1500`."
            ),
            1500,
        ),
        (
            FLEET,
            "capacity.minPromotionDeletionAge",
            (
                "garbageCollector.minPromotionDeletionAge of Kargo's chart: minimum age of a Promotion that is deleted. "
                "Default: `336h`."
            ),
            "336h",
        ),
    ],
)
def test_what_an_editor_shows(root: Schema, path: str, description: str, default: Any) -> None:
    assert shown(root, path) == (description, default)


def test_defaults_are_those_of_the_repository_s_own_chart(tree: Tree, run: Run) -> None:
    """A chart whose values.yaml was changed: its schema need not be changed for editors to tell the new default."""
    values = (CHART / "values.yaml").read_text(encoding="utf-8").replace("interval: 5m", "interval: 30m")
    files = {name: (CHART / name).read_text(encoding="utf-8") for name in ("Chart.yaml", "values.schema.json")}
    files["values.yaml"] = values
    root = tree({f"charts/kargo-service/{name}": text for name, text in files.items()})
    assert run("schema").status == 0
    found = at(json.loads((root / "schemas/kargo.schema.json").read_text(encoding="utf-8")), "warehouse.interval")
    assert found["default"] == yaml_reader.parse(values)["warehouse"]["interval"] == "30m"
    assert found["description"].endswith("Default of the chart: `30m`.")
