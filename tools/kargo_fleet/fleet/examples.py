"""The examples in fleet.yaml and in the documentation, which stand for a registry and a repository of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kargo_fleet.findings import Finding, KeyPath, Place, dotted
from kargo_fleet.fleet.layers import Layer
from kargo_fleet.text.words import enumerate_words

_EXAMPLES = re.compile(r"your-registry\.io|YOUR_ORG")


def has_example(text: str) -> bool:
    """Return whether a text has an example of the template."""
    return _EXAMPLES.search(text) is not None


def example_findings(layer: Layer, service: str = "") -> list[Finding]:
    """Return one warning for all examples in a layer, at the first of them; [] when there are none."""
    if not has_example(layer.text) or not (found := dict(_examples(layer.values, ()))):
        return []
    values = [f"{dotted(path)} ({value})" for path, value in found.items()]
    verb, what = ("is", "an example") if len(found) == 1 else ("are", "examples")
    message = f"{enumerate_words(values)} {verb} still {what} of the template"
    first, *others = [layer.place(path) for path in found]
    fix = f"write your own in {enumerate_words([str(first), *map(_line, others)])}, then run `kargo-fleet generate`"
    return [Finding(first, "KFW102", message, fix, service)]


def _line(place: Place) -> str:
    return f"line {place.line}"


def _examples(data: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from _examples(value, (*path, key))
    if isinstance(data, str) and has_example(data):
        yield path, data
