"""What `deploy` makes of the values files, before it installs anything."""

from __future__ import annotations

from typing import Any

from conftest import Run, Tree, service
from kargo_fleet.clients.kube import ClusterTarget, Kube
from kargo_fleet.fleet.load import load_sound
from kargo_fleet.rollout import deployment


class EmptyCluster(Kube):
    """A cluster with Kargo and nothing else."""

    def kubectl(self, *arguments: str, **_: Any) -> str:
        return ""

    def knows(self, resource: str) -> bool:
        return True


def test_a_values_file_with_an_example_of_the_template_is_not_deployed(tree: Tree, run: Run) -> None:
    """fleet.yaml has been completed, but the values files are those from before."""
    root = tree(service("api"))
    run("generate")
    file = root / "values/api.yaml"
    file.write_text(file.read_text().replace("registry.example.com/", "your-registry.io/"))
    chart, fleet, _ = load_sound(root)
    target = ClusterTarget("test", "https://localhost:6443", "default")
    planned = deployment.prepare(root, EmptyCluster(), target, chart, fleet, [], deployment.Options())
    assert [release.service for release in planned.releases] == ["nginx"]
    (finding,) = planned.findings
    assert (str(finding.place), finding.code, finding.service) == ("values/api.yaml", "KF801", "api")
    assert (finding.message, finding.fix) == (
        "values/api.yaml still has an example of the template",
        "run `kargo-fleet generate`",
    )
