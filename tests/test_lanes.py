"""What `make test-quick` keeps, what CI runs, and what hypothesis does there."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kargo_fleet.fleet.names import FLEET_FILES, GENERATED_FOLDERS
from product import needs

TESTS = Path(__file__).parent
ROOT = TESTS.parent


def _are_slow(items: list[pytest.Item]) -> list[str]:
    return [item.nodeid for item in items if item.get_closest_marker("slow")]


def test_properties_and_golden_cases_are_quick(request: pytest.FixtureRequest) -> None:
    """A property that takes long tries fewer examples in the quick lane: see properties.py."""
    items = request.session.items
    properties = [item for item in items if getattr(getattr(item, "obj", None), "is_hypothesis_test", False)]
    golden = [item for item in items if item.path == TESTS / "test_golden.py"]
    assert _are_slow(properties + golden) == []


def test_rendering_with_helm_is_quick_somewhere(request: pytest.FixtureRequest) -> None:
    rendering = [item for item in request.session.items if item.path.parent == TESTS / "render"]
    assert not rendering or len(_are_slow(rendering)) < len(rendering)


@pytest.mark.parametrize(
    ("environment", "profile", "seen"),
    [
        ({"CI": "true"}, "", "True 100"),
        ({"CI": "true"}, "quick", "True 20"),
        ({}, "", "False 100"),
        ({}, "quick", "False 20"),
    ],
)
def test_in_ci_properties_try_the_same_examples_every_time(
    environment: dict[str, str], profile: str, seen: str
) -> None:
    code = f"""if True:
        import properties
        from hypothesis import settings
        properties.load()
        if {profile!r}:
            settings.load_profile({profile!r})
        print(settings.default.derandomize, properties.examples(100).max_examples)
    """
    others = {key: value for key, value in os.environ.items() if key != "CI"}
    command = [sys.executable, "-c", code]
    result = subprocess.run(
        command, cwd=TESTS, env=others | environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout == f"{seen}\n"


def _targets(text: str) -> set[str]:
    return {target for line in re.findall(r"make ([a-z -]+)$", text, re.MULTILINE) for target in line.split()}


@needs(".github/workflows/ci.yaml", ".ci/run")
def test_ci_runs_what_the_script_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    parts = re.search(r"^test: ([a-z -]+) ##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert parts
    script = _targets((ROOT / ".ci" / "run").read_text())
    assert _targets("\n".join(step.get("run", "") for step in steps)) == script - {"test"} | set(parts[1].split())


# What the owner of a repository changes, day by day; each promotion is a commit.
FLEET = ("services/web/values-prod.yaml", "values/web.yaml", "argocd/units.yaml", "fleet.yaml")
PRODUCT = (
    *("tools/kargo_fleet/errors.py", "charts/kargo-service/Chart.yaml", "tests/helm.py", "docs/argocd.md", "README.md"),
    *(
        "Makefile",
        "requirements.txt",
        "pyproject.toml",
        ".github/workflows/ci.yaml",
        ".ci/run",
        "ct.yaml",
        "bench/fleet.py",
    ),
)


def _runs_for(workflow: str, event: str, path: str) -> bool:
    triggers = yaml.safe_load((ROOT / ".github" / "workflows" / workflow).read_text())[True]  # YAML 1.1: on
    return event in triggers and any(fnmatch.fnmatch(path, pattern) for pattern in triggers[event]["paths"])


@needs(".github/workflows/ci.yaml")
def test_a_promotion_does_not_run_the_product_s_own_jobs() -> None:
    for event in ("push", "pull_request"):
        assert [path for path in FLEET if _runs_for("ci.yaml", event, path)] == []
        assert [path for path in PRODUCT if not _runs_for("ci.yaml", event, path)] == []


@needs(".github/workflows/fleet.yaml")
def test_a_pull_request_that_changes_the_fleet_is_checked() -> None:
    assert [path for path in FLEET if not _runs_for("fleet.yaml", "pull_request", path)] == []
    assert [path for path in FLEET if _runs_for("fleet.yaml", "push", path)] == []
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "fleet.yaml").read_text())["jobs"]["check"]
    assert _targets("\n".join(step.get("run", "") for step in job["steps"])) == {"check"}


#: What `check` reads or is held to, beside services.
_CHECKED = [*FLEET_FILES, *(f"{folder}/a.yaml" for folder in GENERATED_FOLDERS)]


@needs(".pre-commit-config.yaml")
def test_the_hook_runs_for_whatever_check_reads() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    files = next(hook["files"] for hook in hooks if hook["id"] == "verify")
    assert [path for path in _CHECKED if not re.search(files, path)] == []


@needs(".github/workflows/fleet.yaml")
def test_the_check_of_the_fleet_runs_for_whatever_it_reads() -> None:
    on = yaml.load((ROOT / ".github/workflows/fleet.yaml").read_text(), yaml.BaseLoader)["on"]
    paths = on["pull_request"]["paths"]
    assert [path for path in _CHECKED if not any(fnmatch.fnmatchcase(path, one) for one in paths)] == []
