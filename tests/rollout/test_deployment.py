"""What `deploy` and `delete` make of the names that they are given and of the values files, before anything is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conftest import Run, Tree, service
from kargo_fleet.clients.kube import ClusterTarget, Kube
from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.load import load_sound
from kargo_fleet.fleet.names import INSTANCE_LABEL, PART_OF, PART_OF_LABEL
from kargo_fleet.rollout import deletion, deployment
from kargo_fleet.rollout.deployment import Deployment


class EmptyCluster(Kube):
    """A cluster with Kargo and nothing else."""

    def kubectl(self, *_: str, **__: Any) -> str:
        return ""

    def knows(self, _: str) -> bool:
        return True


def prepare(root: Path, *services: str) -> Deployment:
    chart, fleet, _ = load_sound(root)
    target = ClusterTarget("test", "https://localhost:6443", "default")
    return deployment.prepare(root, EmptyCluster(), target, chart, fleet, services, deployment.Options())


def test_a_name_that_is_no_service(tree: Tree, run: Run) -> None:
    root = tree({"values/gone.yaml": "service: {name: gone}\n"})
    run("generate")
    with pytest.raises(FleetError, match="there is no service 'ngnix' in services/; did you mean nginx\\?"):
        prepare(root, "nginx", "ngnix")
    planned = prepare(root, "nginx", "gone")
    assert [release.service for release in planned.releases] == ["gone", "nginx"]


def test_a_unit_to_delete_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"metadata": {"name": "kargo-other"}}
    former = {"metadata": {"name": "kargo-api", "labels": {PART_OF_LABEL: PART_OF, INSTANCE_LABEL: "api"}}}
    others = {"kargo-other": other, "kargo-api": former}
    monkeypatch.setattr(deletion, "_present", lambda *_: ({"nginx": True}, others))

    def project_of(service: str) -> str:
        return "acme-api" if service == "api" else f"kargo-{service}"

    planned = deletion.prepare(EmptyCluster(), "argocd", lambda _: ["ngnix", "other", "api"], project_of)
    assert [(finding.message, finding.fix) for finding in planned.findings] == [
        ("ngnix was not deleted: there is no such unit", "did you mean nginx?"),
        (
            "other was not deleted: its Project or namespace was not created by the chart",
            "to delete it anyway, use kubectl",
        ),
        (
            "api was not deleted: its Project is acme-api in this fleet, which is not in the cluster; kargo-api is another",
            "set project.name in fleet.yaml, or use kubectl",
        ),
    ]


def test_a_values_file_with_an_example_of_the_template_is_not_deployed(tree: Tree, run: Run) -> None:
    """fleet.yaml has been completed, but the values files are those from before."""
    root = tree(service("api"))
    run("generate")
    file = root / "values/api.yaml"
    file.write_text(file.read_text().replace("registry.example.com/", "your-registry.io/"))
    planned = prepare(root)
    assert [release.service for release in planned.releases] == ["nginx"]
    (finding,) = planned.findings
    assert (str(finding.place), finding.code, finding.service) == ("values/api.yaml", "KF801", "api")
    assert (finding.message, finding.fix) == (
        "values/api.yaml still has an example of the template",
        "run `kargo-fleet generate`",
    )
