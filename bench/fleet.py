"""Write a fleet of any size to disk, the same for the same seed: `python -m bench.fleet DIR --services 10000`.

It looks like the sample services in `services/`: three stages with a values file each, a 15-line `kargo.yaml` for a third
of the services, groups in `fleet.yaml` that give a team its access rules and a quota.
"""

from __future__ import annotations

import argparse
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHART = Path(__file__).parents[1] / "charts" / "kargo-service"
STAGES = ("dev", "staging", "prod")
_TEAMS = ("pay", "search", "web", "data", "edge", "mail", "auth", "ship", "stock", "price")
#: The teams whose group gives their services access rules and a quota.
RESTRICTED = ("pay", "auth")
_NOUNS = (
    "api", "worker", "gateway", "ledger", "index", "cache", "sync", "report", "router", "export", "import", "batch",
    "portal", "stream", "audit", "quota",
)  # fmt: skip

FLEET = """\
image:
  registry: registry.example.com
git:
  repoURL: https://git.example.com/platform/gitops.git
  branch: main
values:
  git:
    author:
      name: kargo
      email: kargo@example.com
  warehouse:
    interval: 15m
groups:
  restricted:
    services: [pay-*, auth-*]
    values:
      rbac:
        bindings:
          team:
            role: promoter
            groups: [release-managers]
            claims: {groups: [release-managers]}
      resourceQuota:
        enabled: true
  data:
    services: [data-*]
    values:
      image:
        discoveryLimit: 5
"""

_OWN = """\
# What is particular to {name}.
image:
  constraint: {constraint}
  discoveryLimit: {limit}
warehouse:
  interval: {interval}
stages:
  staging:
    requiredSoakTime: {staging_soak}
  prod:
    requiredSoakTime: {prod_soak}
    color: "{color}"
    description: {description}
project:
  description: {description}
"""


@dataclass(frozen=True)
class Service:
    """A service: its name, its tag, and the settings in its `kargo.yaml`, None without that file."""

    name: str
    tag: str
    own: dict[str, str] | None

    @property
    def restricted(self) -> bool:
        """Whether a group gives the service access rules and a quota."""
        return self.name.startswith(tuple(f"{team}-" for team in RESTRICTED))


def services(count: int, seed: int = 1) -> Iterator[Service]:
    """Yield `count` services; every third has settings of its own."""
    rng = random.Random(f"{seed}")
    for index in range(count):
        name = f"{rng.choice(_TEAMS)}-{rng.choice(_NOUNS)}-{index:05d}"
        tag = f"1.{rng.randrange(40)}.{rng.randrange(10)}"
        own = {
            "constraint": rng.choice(["^1.2.0", "~1.4.0", '">=1.0.0 <3.0.0"', "^2.0.0"]),
            "limit": str(rng.randrange(3, 20)),
            "interval": rng.choice(["10m", "30m", "1h", "90m"]),
            "staging_soak": rng.choice(["5m", "10m", "15m"]),
            "prod_soak": rng.choice(["1h", "4h", "24h"]),
            "color": f"#{rng.randrange(0x1000000):06x}",
            "description": f"Team {rng.choice(_TEAMS)}, tier {rng.randrange(1, 4)}",
        }
        yield Service(name, tag, own if index % 3 == 0 else None)


def write(root: Path, count: int, seed: int = 1) -> list[Service]:
    """Write a fleet of `count` services to the folder `root`, which is created, and return its services."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "fleet.yaml").write_text(FLEET)
    chart = CHART.relative_to(CHART.parents[1])
    shutil.copytree(CHART, root / chart, ignore=shutil.ignore_patterns("ci", "tests"), dirs_exist_ok=True)
    made = list(services(count, seed))
    for service in made:
        folder = root / "services" / service.name
        folder.mkdir(parents=True)
        for replicas, stage in enumerate(STAGES, 1):
            (folder / f"values-{stage}.yaml").write_text(f"image:\n  tag: {service.tag}\nreplicaCount: {replicas}\n")
        if service.own is not None:
            (folder / "kargo.yaml").write_text(_OWN.format(name=service.name, **service.own))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a fleet for benchmarks and tests.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    write(arguments.folder, arguments.services, arguments.seed)


if __name__ == "__main__":
    main()
