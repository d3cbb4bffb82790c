"""What the chart renders is what Kargo v1.11 works with: every sample service, every scenario in ci/."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import samples
from contract import kargo
from helm import CHART, ROOT, render, template

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
UNITS = [*samples.VALUES, *sorted((CHART / "ci").glob("*-values.yaml"))]
CONFIGURATION = ROOT / "docs" / "configuration.md"
MINIMAL = ("image.repoURL=registry.example.com/nginx", "git.repoURL=https://github.com/example/gitops.git")


@cache
def unit(values: Path) -> list[dict[str, Any]]:
    release = values.stem if values.parent.name == "values" else "nginx"
    return render(release, CHART, values)


@pytest.mark.slow
@pytest.mark.parametrize("values", UNITS, ids=lambda path: path.stem)
class TestUnit:
    def test_kargo_takes_it(self, values: Path) -> None:
        assert kargo.unit_problems(unit(values)) == []

    def test_it_is_stored_as_it_is_rendered(self, values: Path) -> None:
        for obj in unit(values):
            assert kargo.stored(obj) == obj

    def test_its_promotions_write_any_tag_as_it_is(self, values: Path) -> None:
        """Kargo's own evaluator turns what looks like a number into one, unless it is quoted."""
        digest = f"sha256:{'0' * 64}"
        for tag in ("1.2.3", "20261101", "1.10", "1e5", "true", "null", "v1.0.0-rc.1"):
            functions = {"imageFrom": {"*": {"tag": tag, "digest": digest}}, **OTHER_ARTIFACTS, **SUCCEEDED}
            stages = (obj for obj in unit(values) if obj["kind"] == "Stage")
            for stage in (obj for obj in stages if "promotionTemplate" in obj["spec"]):
                configs = kargo.promotion(stage, functions, outputs=OUTPUTS)
                for step, config in zip(stage["spec"]["promotionTemplate"]["spec"]["steps"], configs, strict=True):
                    if step.get("as") == "update" and step["uses"] == "yaml-update":
                        written = [update["value"] for update in config["updates"]]
                        assert written in ([tag], [digest], [tag, digest])


OTHER_ARTIFACTS: dict[str, Any] = {"chartFrom": {"*": {"version": "1.2.3"}}, "commitFrom": {"*": {"id": "0123456"}}}
SUCCEEDED: dict[str, Any] = {"success": {"*": True}, "status": {"*": "Succeeded"}}
OUTPUTS: dict[str, Any] = {
    "update": {"commitMessage": "Updated"},
    "commit": {"commit": "0123456"},
    "push": {"branch": "kargo/promotion/x", "commit": "0123456"},
    "open-pr": {"pr": {"id": 7, "url": "https://example.com/7"}},
}


@pytest.mark.slow
def test_nothing_to_commit_means_no_pull_request() -> None:
    """The tag is there already: git-commit skips itself, and a branch without a change is no pull request."""
    stage = next(
        obj for obj in unit(samples.EXPECTED / "values" / "payments-api.yaml") if obj["metadata"]["name"] == "prod"
    )
    functions = {"imageFrom": {"*": {"tag": "1.2.3"}}, "success": {"*": True}, "status": {"*": "Skipped"}}
    configs = kargo.promotion(stage, functions, outputs={"commit": {"commit": "0123456"}})
    steps = [step["uses"] for step in stage["spec"]["promotionTemplate"]["spec"]["steps"]]
    ran = [uses for uses, config in zip(steps, configs, strict=True) if config is not None]
    assert ran == ["git-clone", "yaml-update", "git-commit"]


@pytest.mark.slow
def test_variables_of_a_stage_may_use_those_of_the_chart() -> None:
    """Kargo evaluates a Stage's variables in their order, and before those of a promotion template."""
    sets = (
        "stages.dev.vars.imageTag=${{ imageFrom(vars.imageRepoURL).Tag }}",
        "stages.dev.promotion.steps.after[0].uses=http",
        "stages.dev.promotion.steps.after[0].config.url=https://example.com/${{ vars.imageTag }}",
    )
    dev = next(obj for obj in render("nginx", CHART, sets=(*MINIMAL, *sets)) if obj["metadata"]["name"] == "dev")
    functions = {"imageFrom": {"registry.example.com/nginx": {"tag": "1.2.3"}}, **SUCCEEDED}
    *_, called = kargo.promotion(dev, functions, outputs=OUTPUTS)
    assert called == {"url": "https://example.com/1.2.3"}


@pytest.mark.slow
def test_commits_carry_trailers() -> None:
    """Git itself reads them, whatever the message of one's own looks like; nobody acts when Kargo promotes by itself."""
    for own in ("<service>: <version>", "one\n\nbody: not one of them\nanother line", "a\n\nTicket: OPS-1"):
        value = f"promotion.message={own}".replace(",", "\\,")
        dev = next(obj for obj in render("nginx", CHART, sets=(*MINIMAL, value)) if obj["metadata"]["name"] == "dev")
        functions = {"imageFrom": {"*": {"tag": "1.2.3"}}, **SUCCEEDED}
        ctx = {"meta": {"promotion": {"actor": ""}}}
        commit = next(c for c in kargo.promotion(dev, functions, outputs=OUTPUTS, ctx=ctx) if c and "message" in c)
        read = subprocess.run(
            ["git", "interpret-trailers", "--parse"],
            input=commit["message"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        read = [line.rstrip() for line in read]
        assert read[-4:] == [
            "Kargo-Stage: kargo-nginx/dev",
            "Kargo-Promotion: dev.01k0000000000000000000000.0123456",
            "Kargo-Freight: 0123456789abcdef0123456789abcdef01234567",
            "Kargo-Actor:",
        ]
        assert read[:-4] == (["Ticket: OPS-1"] if "Ticket" in own else [])


@pytest.mark.slow
def test_kubeconform_agrees(tmp_path: Path) -> None:
    """A second validator, in Go as Kubernetes is, over everything that is rendered; it says that it saw each object."""
    for kind, schema in kargo.schemas_by_kind().items():
        (tmp_path / f"{kind.lower()}.json").write_text(json.dumps(schema))
    objects = [obj for values in UNITS for obj in unit(values) if obj["apiVersion"] == kargo.KARGO]
    (tmp_path / "rendered.yaml").write_text("\n---\n".join(json.dumps(obj) for obj in objects))
    location = str(tmp_path / "{{ .ResourceKind }}.json")
    command = ["kubeconform", "-strict", "-summary", "-output", "json", "-schema-location", location, "rendered.yaml"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    said = json.loads(result.stdout)
    assert [resource["msg"] for resource in said.get("resources", [])] == []
    assert said["summary"] == {"valid": len(objects), "invalid": 0, "errors": 0, "skipped": 0}


def paths(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from paths(value, (*above, key))


@pytest.mark.slow
@pytest.mark.parametrize("path", [".".join(path) for path in paths(DEFAULTS) if "/" not in path[-1]])
def test_a_missing_key_is_never_nil(path: str) -> None:
    """`helm upgrade --reuse-values` keeps the values of an older chart, without the keys that a newer one added."""
    result = template("nginx", CHART, sets=(*MINIMAL, f"{path}=null"))
    assert "nil pointer" not in result.stderr
    assert result.returncode == 0 or "these values cannot work" in result.stderr, result.stderr


def comments() -> dict[tuple[str, ...], str]:
    """Return the `# --` comment of each key in values.yaml."""
    found: dict[tuple[str, ...], str] = {}
    above: list[tuple[int, str]] = []
    block: list[str] = []
    for line in (CHART / "values.yaml").read_text().splitlines():
        if match := re.match(r"\s*# ?(.*)$", line):
            block.append(match[1])
            continue
        if match := re.match(r"(\s*)([^\s#:]+):", line):
            above = [item for item in above if item[0] < len(match[1])] + [(len(match[1]), match[2])]
            texts = [text for text in block if not text.startswith("@default")]
            if starts := [index for index, text in enumerate(texts) if text.startswith("-- ")]:
                found[tuple(key for _, key in above)] = " ".join(texts[starts[0] :]).removeprefix("-- ")
        block = []
    return found


def subschema(path: tuple[str, ...]) -> dict[str, Any]:
    node = SCHEMA
    for key in path:
        node = node["properties"][key]
        if "$ref" in node:
            node = {**SCHEMA["definitions"][node["$ref"].rsplit("/", 1)[1]], **node}
    return node


def test_the_schema_describes_what_values_yaml_describes() -> None:
    described = {path: text for path, text in comments().items() if path[0] != "stages"}
    assert len(described) > 60
    assert {path: subschema(path)["description"] for path in described} == described


def test_every_key_of_values_yaml_is_in_the_schema_and_the_other_way_round() -> None:
    open_maps = {
        "global",
        "commonLabels",
        "commonAnnotations",
        "labels",
        "annotations",
        "stages",
        "updates",
        "render",
        "bindings",
        "hard",
        "retry",
        "vars",
        "warehouses",
        "analysisTemplates",
        "promotionTasks",
        "extraObjects",
    }

    def compare(schema: Mapping[str, Any], values: Mapping[str, Any], above: tuple[str, ...]) -> None:
        assert set(schema["properties"]) == set(values), above
        for key, value in values.items():
            if isinstance(value, dict) and key not in open_maps:
                compare(subschema((*above, key)), value, (*above, key))

    compare(SCHEMA, DEFAULTS, ())


def test_the_schema_is_closed_at_every_level() -> None:
    # Kargo's steps have schemas of their own, which the contract tests apply; the shape of targets still moves.
    passed_on = {"config", "global", "targets", "extraObject", "valueFrom"}
    passed_on |= set(
        SCHEMA["definitions"]["analysisTemplate"]["properties"]["metrics"]["items"]["properties"]["provider"][
            "properties"
        ]
    )
    receivers = {"secretRef"}

    def visit(node: Any, name: str) -> None:
        if isinstance(node, dict):
            types = node.get("type", [])
            if "object" in ([types] if isinstance(types, str) else types) and name not in passed_on:
                assert "additionalProperties" in node or receivers & set(node.get("properties", {})), name
            for key, value in node.items():
                visit(value, key)
        elif isinstance(node, list):
            for value in node:
                visit(value, name)

    visit(SCHEMA, "")


def test_every_key_of_a_stage_and_a_binding_is_in_the_readme() -> None:
    readme = (CHART / "README.md").read_text()
    for name in (
        "stage",
        "binding",
        "furtherWarehouse",
        "requestedFreight",
        "analysisTemplate",
        "promotionTask",
        "render",
    ):
        for key in SCHEMA["definitions"][name]["properties"]:
            assert f"`{key}`" in readme, key


@pytest.mark.slow
def test_a_default_that_is_written_out_changes_nothing(tmp_path: Path) -> None:
    """Defaults of keys that values.yaml cannot have: of a stage of one's own, of further subscriptions."""

    def defaults(properties: Mapping[str, Any]) -> dict[str, Any]:
        # Kargo takes these for the default when they are missing; the chart leaves that to Kargo.
        left = {"availabilityStrategy", "selectionPolicy", "blobless"}
        found = {key: node["default"] for key, node in properties.items() if "default" in node and key not in left}
        assert found
        return found

    definitions = SCHEMA["definitions"]
    subscriptions = definitions["subscription"]["properties"]
    url = {"image": "registry.example.com/sidecar", "git": "https://github.com/example/a.git", "chart": "oci://r.io/a"}
    rendered = []
    for written in (False, True):
        stage = defaults(definitions["stage"]["properties"]) if written else {}
        further = [
            {
                kind: {
                    "repoURL": url[kind],
                    **(defaults(definitions[f"{kind}Subscription"]["properties"]) if written else {}),
                }
            }
            for kind in subscriptions
            if kind != "name"
        ]
        file = tmp_path / f"{written}.yaml"
        file.write_text(json.dumps({"stages": {"qa": stage}, "warehouse": {"subscriptions": further}}))
        rendered.append(render("nginx", CHART, file, sets=MINIMAL))
    assert rendered[0] == rendered[1]


def test_the_variables_of_steps_are_documented() -> None:
    steps = (CHART / "templates" / "_steps.tpl").read_text()
    (reserved,) = re.findall(r'define "kargo-service.reservedVars" -}}\n(.*)\n', steps)
    (sentence,) = re.findall(
        r"^Steps can use the variables (.*?)\.$", CONFIGURATION.read_text(), re.MULTILINE | re.DOTALL
    )
    (table,) = re.findall(r"^## Variables\n(.*?)^## ", (CHART / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(reserved.split())
    assert re.findall(r"^\| `(\w+)` ", table, re.MULTILINE) == reserved.split()
