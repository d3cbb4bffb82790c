""".github/CODEOWNERS.example: a team cannot merge a change to another team's unit, nor to the platform's files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from product import needs

EXAMPLE = Path(__file__).parents[1] / ".github" / "CODEOWNERS.example"
PLATFORM, WEB, PAYMENTS, RELEASES = (
    f"@example/{team}" for team in ("platform", "team-web", "team-payments", "release-managers")
)


def _matches(pattern: str, path: str) -> bool:
    """Return whether a pattern of CODEOWNERS matches, as in .gitignore: a slash at the end means a folder."""
    expression = "".join("[^/]*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", pattern.strip("/")))
    start = "^" if pattern.startswith("/") else "(^|.*/)"
    end = "/.*$" if pattern.endswith("/") else "(/.*)?$"
    return re.search(f"{start}{expression}{end}", path) is not None


def owners(path: str) -> set[str]:
    """Return the owners of a file: those of the last line that matches."""
    lines = [line.split() for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    return next((set(teams) for pattern, *teams in reversed(lines) if _matches(pattern, path)), set())


@needs(".github/CODEOWNERS.example")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        *(
            (path, {PLATFORM})
            for path in (
                "fleet.yaml",
                "Makefile",
                "charts/kargo-service/templates/stages.yaml",
                "argocd/units.yaml",
                "argocd/patches/argocd-cm.yaml",
                "tools/kargo_fleet/cli/main.py",
                ".github/workflows/fleet.yaml",
                ".github/CODEOWNERS",
                "schemas/kargo.schema.json",
                "services/new/values-dev.yaml",
            )
        ),
        ("services/web/values-dev.yaml", {WEB}),
        ("services/web/base-values.yaml", {WEB}),
        ("services/web/docker/Dockerfile", {WEB}),
        ("services/webshop/values-dev.yaml", {PLATFORM}),
        ("services/payments-api/values-staging.yaml", {PAYMENTS}),
        ("services/web/kargo.yaml", {PLATFORM}),
        ("services/payments-api/kargo.yaml", {PLATFORM}),
        ("services/web/values-prod.yaml", {RELEASES}),
        ("services/payments-api/values-prod-eu.yaml", {RELEASES}),
        ("values/web.yaml", set()),
    ],
)
def test_who_approves(path: str, expected: set[str]) -> None:
    assert owners(path) == expected
