"""One ApplicationSet or several: which set holds which service, by size.

A service belongs to the set whose list has the first hexadecimal digit (above 16 sets, the first two) of the SHA-256
of its name. Argo CD computes the same with sprig's `sha256sum`. So no set lists its services, a new service changes no
file, and every fleet is spread evenly whatever its names look like.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

MOST = 256


@dataclass(frozen=True, slots=True)
class Bucket:
    """One set's share: the services whose hash starts with one of `prefixes`. No prefixes: every service."""

    prefixes: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """What is appended to the name of the set, `-0-7` for instance. No two splits share a suffix."""
        return "".join(f"-{prefix}" for prefix in sorted({*self.prefixes[:1], *self.prefixes[-1:]}))

    @property
    def expression(self) -> str:
        """The Go template that gives a folder's bucket."""
        return f"{{{{ sha256sum .path.basename | trunc {len(self.prefixes[0])} }}}}"

    def __contains__(self, service: str) -> bool:
        return not self.prefixes or _digest(service).startswith(self.prefixes)


def split(services: Iterable[str], most: int, fewest: int = 1) -> tuple[Bucket, ...]:
    """Return the smallest power of two of buckets, `fewest` at least, none of which holds more than `most` services.

    256 is the maximum: beyond it, sets exceed `most`.
    """
    load = [0] * MOST
    for service in services:
        load[int(_digest(service)[:2], 16)] += 1
    count = 1
    while count < MOST and (count < fewest or _largest(load, count) > most):
        count *= 2
    return _buckets(count)


def largest(services: Iterable[str], buckets: Iterable[Bucket]) -> int:
    """Return how many of `services` the fullest of `buckets` holds."""
    names = list(services)
    return max((sum(name in bucket for name in names) for bucket in buckets), default=0)


@cache
def _digest(service: str) -> str:
    return hashlib.sha256(service.encode()).hexdigest()


def _largest(load: list[int], count: int) -> int:
    width = MOST // count
    return max(sum(load[start : start + width]) for start in range(0, MOST, width))


def _buckets(count: int) -> tuple[Bucket, ...]:
    if count == 1:
        return (Bucket(),)
    digits, values = (1, 16) if count <= 16 else (2, 256)
    width = values // count
    prefixes = [f"{value:0{digits}x}" for value in range(values)]
    return tuple(Bucket(tuple(prefixes[start : start + width])) for start in range(0, values, width))
