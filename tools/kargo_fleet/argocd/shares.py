"""ApplicationSets that follow the shards: which service belongs to which set, without a set that lists its services."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kargo_fleet.argocd.settings import ArgoFleet
from kargo_fleet.fleet.shards import Shard, assign

#: What the templates call "no shard"; no shard can have this name.
NO_SHARD = "-"

_EXPRESSION = """\
{{- $pinned := %s }}{{ $service := .path.basename }}{{ $best := "" }}{{ $shard := "%s" }}
{{- range list %s }}
  {{- $score := sha256sum (printf "%%s/%%s" . $service) }}
  {{- if gt $score $best }}{{ $best = $score }}{{ $shard = . | splitList "#" | first }}{{ end }}
{{- end }}
{{- if hasKey $pinned $service }}{{ get $pinned $service }}{{ else }}{{ $shard }}{{ end }}"""


@dataclass(frozen=True, slots=True)
class Share:
    """One shard's share of the units; no `name` stands for the units without a shard.

    `expression` is the Go template that gives the shard of a folder, the same for all shares.
    """

    name: str
    services: tuple[str, ...]
    expression: str

    @property
    def suffix(self) -> str:
        """What is appended to the name of the set. A split by size never has such a suffix."""
        return f"-shard-{self.name}" if self.name else "-no-shard"


def unit_shares(
    fleet: ArgoFleet, services: Iterable[str], shards: Mapping[str, str]
) -> list[tuple[Share | None, Sequence[str]]]:
    """Return the shares that the units' sets are made for, with their services: one of all, unless sets follow shards.

    `shards` has the shard of the services that chose one themselves ("": none).
    """
    if not fleet.follows_shards:
        return [(None, list(services))]
    chosen = {name: shards[name] if name in shards else assign(name, fleet.shards) for name in services}
    return [(share, share.services) for share in shares(fleet.shards, chosen)]


def shares(shards: tuple[Shard, ...], chosen: Mapping[str, str]) -> list[Share]:
    """Return the share of every shard, in their order, and of no shard if a service has none.

    `chosen` is the shard of every service ("": none), by hash or by its own choice.
    """
    pinned = {service: shard for service, shard in sorted(chosen.items()) if shard != assign(service, shards)}
    expression = _expression(shards, pinned)
    names = [shard.name for shard in shards]
    names += [""] if "" in chosen.values() else []
    members = {name: tuple(sorted(service for service in chosen if chosen[service] == name)) for name in names}
    return [Share(name, members[name], expression) for name in names]


def _expression(shards: tuple[Shard, ...], pinned: Mapping[str, str]) -> str:
    pairs = " ".join(f"{json.dumps(service)} {json.dumps(shard or NO_SHARD)}" for service, shard in pinned.items())
    tickets = " ".join(json.dumps(ticket) for shard in shards for ticket in shard.tickets)
    return _EXPRESSION % (f"dict {pairs}".strip(), NO_SHARD, tickets)
