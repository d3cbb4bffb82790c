"""No drift: what is stored is what was rendered, field by field. Anything else Argo CD would sync for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import samples

from .control_plane import Client
from .drift import differences
from .units import CHART, Units

pytestmark = pytest.mark.cluster

SAMPLES = samples.VALUES
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))


def check(units: Units, release: str) -> None:
    rendered = units.rendered(release)
    stored = units.stored(rendered)
    assert len(stored) == len(rendered) > 4
    assert [line for one, other in zip(rendered, stored, strict=True) for line in differences(one, other)] == []


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_samples_are_stored_as_they_are_rendered(lasting_units: Units, file: Path) -> None:
    lasting_units.install(file.stem, file)
    check(lasting_units, file.stem)


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem.removesuffix("-values"))
def test_scenarios_are_stored_as_they_are_rendered(lasting_units: Units, file: Path) -> None:
    release = f"ci-{file.stem.removesuffix('-values')}"
    name = yaml.safe_load(file.read_text())["service"]["name"]
    newer = _newer_defaults(lasting_units.cluster) if file.stem == "beside-values" else []
    # The scenarios are all called nginx, but for those whose point is the name. Without one the release's counts.
    if name == "nginx":
        lasting_units.install(release, file, sets=["service.name=", *newer])
    else:
        lasting_units.install(release, file, project=f"kargo-{name}")
    check(lasting_units, release)


def _newer_defaults(cluster: Client) -> list[str]:
    """What the cluster's Argo Rollouts adds to an AnalysisTemplate and older ones do not know: people write it themselves."""
    crd = cluster.find("customresourcedefinitions", "analysistemplates.argoproj.io")
    since_1_10 = "analysisTemplates.smoke-test.metrics[1].provider.datadog.requestTimeout=10s"
    return [since_1_10] if "requestTimeout" in json.dumps(crd) else []


def test_values_that_are_written_differently_are_stored_the_same(lasting_units: Units, tmp_path: Path) -> None:
    """Durations, counts and defaults may be written in many ways; the chart renders the one that is stored."""
    file = tmp_path / "values.yaml"
    file.write_text("""
image: {repoURL: registry.example.com/x}
git: {repoURL: https://github.com/example/gitops.git}
shard: a
warehouse:
  interval: 90m
  subscriptions:
    - git: {repoURL: "https://github.com/example/x.git"}
    - chart: {repoURL: oci://registry.example.com/chart}
stages:
  staging: {requiredSoakTime: 3600s}
promotion:
  retry: {git-clone: {timeout: 600s, errorThreshold: 2}}
resourceQuota:
  enabled: true
  hard: {count/freights.kargo.akuity.io: 2000, count/promotions.kargo.akuity.io: "1000"}
""")
    lasting_units.install("differently", file)
    check(lasting_units, "differently")


def test_these_tests_would_see_drift(lasting_units: Units, cluster: Client) -> None:
    """The proof that they prove something: what is written in another form does come back changed."""
    lasting_units.install("changed", samples.EXPECTED / "values" / "nginx.yaml", sets=["service.name="])
    warehouse = {
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Warehouse",
        "metadata": {"name": "other", "namespace": "kargo-changed"},
        "spec": {
            "interval": "5m",
            "shard": "a",
            "freightCreationPolicy": "Automatic",
            "subscriptions": [{"image": {"repoURL": "registry.example.com/x"}}],
        },
    }
    cluster.create(warehouse)
    stored = cluster.get("warehouses.kargo.akuity.io", "other", "-n", "kargo-changed")
    assert differences(warehouse, stored) == [
        "Warehouse/other: metadata.labels: stored as {'kargo.akuity.io/shard': 'a'}, not rendered",
        "Warehouse/other: spec.interval: rendered as '5m', stored as '5m0s'",
        "Warehouse/other: spec.subscriptions[0].image.discoveryLimit: stored as 20, not rendered",
        "Warehouse/other: spec.subscriptions[0].image.imageSelectionStrategy: stored as 'SemVer', not rendered",
        "Warehouse/other: spec.subscriptions[0].image.strictSemvers: stored as True, not rendered",
    ]
