"""The steps in a service's own file, and the files that they write."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from kargo_fleet.findings import KeyPath
from kargo_fleet.fleet.pipeline import section
from kargo_fleet.policy.subject import Subject
from kargo_fleet.text.patterns import linear

#: Steps that only read what `path` names.
_READERS = frozenset(
    "git-commit git-push helm-template json-parse kustomize-build oci-push tar toml-parse yaml-parse".split()
)
_LISTS = ("before", "beforeCommit", "after", "replace")
_EXPRESSION = linear(r"(?s)\$\{\{.*?\}\}")
#: Expressions for the folder and the values file of a stage, which belong to the service, or are where the platform says.
_OWN_PLACES = linear(r"\$\{\{\s*vars\.(folder|path)\s*\}\}")
_OWN, _UNKNOWN = "\1", "\0"


def own_steps(subject: Subject) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """Yield the steps of the service's own file, with their paths in it, whether a stage runs them or not."""
    owners: list[tuple[KeyPath, Mapping[str, Any]]] = [(("promotion",), section(subject.said, "promotion"))]
    for name, given in section(subject.said, "stages").items():
        owners.append((("stages", name, "promotion"), section(given or {}, "promotion")))
    for path, promotion in owners:
        for key in _LISTS:
            yield from _listed((*path, "steps", key), section(promotion, "steps").get(key))
    for name, spec in section(subject.said, "promotionTasks").items():
        yield from _listed(("promotionTasks", name, "steps"), (spec or {}).get("steps"))


def _listed(path: KeyPath, steps: Any) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    for index, step in enumerate(steps or []):
        yield (*path, index), step


def written_outside(subject: Subject) -> Iterator[tuple[KeyPath, str]]:
    """Yield what own steps write outside of the service's folders, as far as that is in a clone: path of the key, and file.

    A place that is an expression may be anywhere.
    """
    for path, step in own_steps(subject):
        for key, text in _places(step, path):
            if not _is_own(subject, text):
                yield key, text


def _places(step: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    keys = ("outPath",) if step.get("uses") in _READERS else ("path", "outPath")
    config = section(step, "config")
    owners: list[tuple[KeyPath, Any]] = [((*path, "config"), config)]
    for key, items in config.items():
        owners += [
            ((*path, "config", key, index), item) for index, item in enumerate(items if isinstance(items, list) else [])
        ]
    for place, owner in owners:
        for key in keys:
            text = owner.get(key) if isinstance(owner, dict) else None
            if isinstance(text, str):
                yield (*place, key), text


def _is_own(subject: Subject, text: str) -> bool:
    filled = _EXPRESSION.sub(_UNKNOWN, _OWN_PLACES.sub(_OWN, text.replace("<service>", subject.service)))
    place = posixpath.normpath(filled)
    clone, _, inner = place.partition("/")
    if _UNKNOWN in clone or place.startswith(("/", "..")):
        return False
    if clone not in ("src", "out"):
        return True
    return inner.startswith((_OWN, *subject.folders)) or (clone == "out" and subject.service in inner.split("/"))
