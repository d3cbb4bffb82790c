"""Which of several Kargo controllers handles which service: rendezvous hashing, the same on every machine.

Every shard gets as many tickets for a service as its weight says, each a hash of shard, ticket and service; the highest
wins (Thaler and Ravishankar, "A name-based mapping scheme for rendezvous", 1996). Whatever shard is added or taken away,
the other tickets stay as they are: only services whose winner comes or goes are moved. Argo CD computes the same with
sprig's `sha256sum` (argocd/shares.py), which is why there are tickets and no logarithms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

#: Tickets cost time for every service, and a weight is a ratio.
HEAVIEST = 20


@dataclass(frozen=True)
class Shard:
    """A Kargo controller's `shardName`, and its share compared with the others'. Weight 0: only services pinned to it."""

    name: str
    weight: int = 1

    @property
    def tickets(self) -> list[str]:
        """The tickets of the shard, as many as its weight."""
        return [f"{self.name}#{index}" for index in range(self.weight)]


def shards_of(fleet: Mapping[str, Any]) -> tuple[Shard, ...]:
    """Return the shards of a fleet; `fleet` is the plain and valid content of fleet.yaml."""
    listed = fleet.get("shards") or ()
    return tuple(Shard(one) if isinstance(one, str) else Shard(one["name"], one.get("weight", 1)) for one in listed)


@cache
def assign(service: str, shards: tuple[Shard, ...]) -> str:
    """Return the name of the shard of a service, "" when no shard has any weight."""
    best, chosen = "", ""
    for shard in shards:
        for ticket in shard.tickets:
            score = hashlib.sha256(f"{ticket}/{service}".encode()).hexdigest()
            if score > best:
                best, chosen = score, shard.name
    return chosen
