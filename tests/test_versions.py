"""A version that is written in several places is the same in all of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import kargo_fleet
from contract.upstream import ARGO_CD, ARGO_ROLLOUTS, KARGO
from helm import CHART, ROOT
from product import is_ours, need

CI = ".github/workflows/ci.yaml"
UPSTREAM = ROOT / "tests" / "upstream"
KUBERNETES = "k8s.io/kubernetes"
ETCD = "go.etcd.io/etcd/server/v3"
HELM = "helm.sh/helm/v4"
HELM_3 = "helm.sh/helm/v3"
METADATA: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
PAGES = [*(ROOT / name for name in ("README.md",) if is_ours(name)), *sorted((ROOT / "docs").rglob("*.md"))]


def _pinned(module: str, folder: Path = UPSTREAM) -> dict[str, str]:
    """Return the versions of a Go module, without the v, in the go.mod files of a folder that require it."""
    required = re.compile(rf"^\s*(?:require\s+)?{re.escape(module)} v(\S+)", re.MULTILINE)
    found = {str(file.relative_to(ROOT)): required.search(file.read_text()) for file in sorted(folder.rglob("go.mod"))}
    # A further version of Kargo is for the contract tests alone.
    found = {file: match for file, match in found.items() if "/kargo-" not in file}
    return {file: match[1] for file, match in found.items() if match}


def _newest(module: str, folder: Path = UPSTREAM) -> str:
    return max(_pinned(module, folder).values(), key=lambda text: [int(part) for part in re.findall(r"\d+", text)])


def test_the_chart_has_the_version_of_the_tool() -> None:
    assert METADATA["version"] == kargo_fleet.__version__


def test_the_changelog_knows_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    version = re.escape(kargo_fleet.__version__)
    assert re.search(rf"^(?:## \[{version}\].*|To become {version}\.)$", changelog, re.MULTILINE)


def test_the_chart_is_for_the_newest_kargo_that_is_tested() -> None:
    assert METADATA["appVersion"] == f"v{_newest(KARGO)}"


@pytest.mark.parametrize("module", [KARGO, ARGO_CD, KUBERNETES])
def test_all_programs_are_built_of_the_same_upstream(module: str) -> None:
    pinned = _pinned(module)
    assert len(pinned) > 1
    assert set(pinned.values()) == {_newest(module)}, pinned


# What a page says is tested, and what that is: Kargo v1.11 is 1.11 of 1.11.2.
CLAIMS = [
    ("README.md", r"tested against Kargo v([\d.]+\d)", _newest(KARGO)),
    ("README.md", r"tested against Kargo .*?Argo CD v([\d.]+\d)", _newest(ARGO_CD)),
    ("README.md", r"tested against Kargo .*? Helm ([\d.]*\d)", _newest(HELM, ROOT / "tools" / "cli")),
    ("docs/versions.md", r"^\| Kargo ([\d.]+) \| Rendered objects", _newest(KARGO)),
    ("docs/versions.md", r"^\| Argo CD (\d+\.\d+\.\d+) \|", _newest(ARGO_CD)),
    ("docs/versions.md", r"^\| Argo Rollouts (\d+\.\d+\.\d+) \|", _newest(ARGO_ROLLOUTS)),
    ("docs/versions.md", r"^\| Kubernetes (\d+\.\d+\.\d+) \|", _newest(KUBERNETES)),
    ("docs/versions.md", r"^\| Helm (4[\d.]+) \|", _newest(HELM, ROOT / "tools" / "cli")),
    (
        "docs/versions.md",
        r"^\| Kubernetes \| ([\d.]+) or newer",
        METADATA["kubeVersion"].removeprefix(">=").removesuffix("-0"),
    ),
    ("docs/adopting.md", r"kargo-service-([\d.]+)\.tgz", kargo_fleet.__version__),
    ("docs/adopting.md", r"^  version: ([\d.]+)$", kargo_fleet.__version__),
    ("docs/testing.md", r"Kargo's module, v([\d.]+\d)", _newest(KARGO)),
    ("docs/testing.md", r"Argo CD v([\d.]+\d)", _newest(ARGO_CD)),
    ("docs/testing.md", r"kubectl ([\d.]+\d)", _newest(KUBERNETES)),
    ("docs/testing.md", r"kube-controller-manager ([\d.]+\d)", _newest(KUBERNETES)),
    ("docs/testing.md", r"etcd ([\d.]+\d)", _newest(ETCD)),
    ("docs/testing.md", r"kube-apiserver ([\d.]+\d), no nodes", _newest(KUBERNETES)),
    ("docs/testing.md", r"\| Helm \| ([\d.]+\d);", _newest(HELM, ROOT / "tools" / "cli")),
    ("docs/testing.md", r"; ([\d.]+\d) for `test_helm3.py`", _newest(HELM_3)),
    ("docs/testing.md", r"\| Argo CD \| ([\d.]+\d),", _newest(ARGO_CD)),
    ("docs/testing.md", r"\| Kargo \| its CRDs, v([\d.]+\d)", _newest(KARGO)),
    ("README.md", r"Helm ([\d.]+\d) or newer works", _newest(HELM_3)),
    ("docs/deploying.md", r"works with Helm ([\d.]+\d) or newer", _newest(HELM_3)),
]


@pytest.mark.parametrize(("page", "claim", "pinned"), CLAIMS, ids=lambda value: str(value)[:40])
def test_what_a_page_calls_tested_is(page: str, claim: str, pinned: str) -> None:
    need(page)
    said = re.findall(claim, (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    assert said, f"{page} says it in other words now: change the pattern"
    assert {version for version in said if not f"{pinned}.".startswith(f"{version}.")} == set()


def test_the_kargo_that_pages_install_is_the_tested_one() -> None:
    install = r"kargo-charts/kargo --version (\S+)"
    said = {(page.name, version) for page in PAGES for version in re.findall(install, page.read_text())}
    assert {(page, version) for page, version in said if version != _newest(KARGO)} == set()


def _pages_of_docs() -> Iterator[str]:
    return (page.relative_to(ROOT).as_posix() for page in PAGES if page.parent != ROOT)


def _pythons() -> Iterator[tuple[str, str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    yield "pyproject.toml, tool.mypy", project["tool"]["mypy"]["python_version"]
    yield "pyproject.toml, tool.ruff", project["tool"]["ruff"]["target-version"].replace("py3", "3.")
    for name in filter(
        is_ours, ("README.md", "CONTRIBUTING.md", "Makefile", "tools/bootstrap/lib.sh", *_pages_of_docs())
    ):
        for version in re.findall(r"Python (3\.\d+) or newer", (ROOT / name).read_text()):
            yield name, version
    if not is_ours(CI):
        return
    workflow = yaml.safe_load((ROOT / CI).read_text())
    matrices = [job["strategy"]["matrix"] for job in workflow["jobs"].values() if "strategy" in job]
    for matrix in matrices:
        if "python" in matrix:
            yield "ci.yaml, the oldest", min(matrix["python"], key=lambda text: int(text.partition(".")[2]))


def test_the_oldest_python_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    oldest = project["project"]["requires-python"].removeprefix(">=")
    said = list(_pythons())
    assert "ci.yaml, the oldest" in dict(said) or not is_ours(CI)
    assert [(place, version) for place, version in said if version != oldest] == []
