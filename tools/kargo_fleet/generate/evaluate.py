"""One service on disk, evaluated: its unit, and its values file as it is and as it should be.

EvaluatedService has everything that the fleet as a whole needs of a service; it is small, because there are thousands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kargo_fleet.files import generated
from kargo_fleet.files.generated import Output, State
from kargo_fleet.files.reading import RepositoryReader, digest, fingerprint_now
from kargo_fleet.files.watchdog import watched
from kargo_fleet.findings import Finding
from kargo_fleet.fleet.names import values_path
from kargo_fleet.fleet.pipeline import Pipeline, pipeline_of
from kargo_fleet.fleet.values import complete_values
from kargo_fleet.generate.cache import Cache, CacheEntry, Stages, for_any_service
from kargo_fleet.text.yaml_reader import YamlError
from kargo_fleet.unit.build import Inputs, build
from kargo_fleet.unit.values_file import values_text


@dataclass(frozen=True)
class EvaluatedService:
    """The result for one service. While it is `broken`, stages and shard are those that it had last.

    `output` is its values file; None when none can be made or the present one cannot be read. `entry` is the cache
    entry for later runs, None if there is none.
    """

    service: str
    broken: bool
    findings: tuple[Finding, ...]
    stages: Stages
    shard: str
    output: Output | None
    entry: CacheEntry | None


def evaluator(inputs: Inputs, cache: Cache) -> Callable[[str], EvaluatedService | None]:
    """Return the function that evaluates a service by name; it returns None if `cache` has a valid entry."""
    return partial(_evaluate, inputs, cache)


def cached(cache: Cache, service: str) -> EvaluatedService:
    """Return the result from the cache, for a service whose entry is known to be valid."""
    entry = cache[service]
    output = Output(values_path(service), "", "", State.CURRENT, service) if entry.wanted else None
    return EvaluatedService(service, entry.broken, entry.findings, entry.stages, entry.shard, output, entry)


def _evaluate(inputs: Inputs, cache: Cache, service: str) -> EvaluatedService | None:
    root = inputs.fleet.root
    if service in cache and _holds(root, service, cache[service]):
        return None
    with watched(service):
        return _evaluated(inputs, service)


def _evaluated(inputs: Inputs, service: str) -> EvaluatedService:
    root = inputs.fleet.root
    reader = RepositoryReader(root)
    unit = build(inputs, service, reader)
    pipeline = unit.pipeline
    if pipeline is None or unit.broken:
        pipeline = pipeline_of({**_last_good(inputs, reader, service), "service": {"name": service}})
    lookups = for_any_service(service, reader.lookups)
    stages, shard = _stages(pipeline), pipeline.shard
    if unit.broken:
        entry = CacheEntry(lookups, stages, reader.fingerprint, "", True, shard, unit.findings)
        return EvaluatedService(service, True, unit.findings, stages, shard, None, entry)
    path, wanted = values_path(service), values_text(unit.overlay, unit.sources)
    try:
        output = generated.compare(root, path, wanted, service)
    except OSError as error:
        findings = (*unit.findings, generated.unreadable(path, error, service))
        return EvaluatedService(service, False, findings, stages, shard, None, None)
    entry = CacheEntry(lookups, stages, reader.fingerprint, digest(wanted.encode()), False, shard, unit.findings)
    return EvaluatedService(service, False, unit.findings, stages, shard, output, entry)


def _holds(root: Path, service: str, entry: CacheEntry) -> bool:
    """Return whether everything that was read for a service is unchanged, and its values file is current."""
    if fingerprint_now(root, entry.lookups_of(service)) != entry.fingerprint:
        return False
    if not entry.wanted:
        return True
    try:
        return digest(RepositoryReader(root).read(values_path(service))) == entry.wanted
    except OSError:
        return False


def _last_good(inputs: Inputs, reader: RepositoryReader, service: str) -> dict[str, Any]:
    """Return the values that a service had before it broke, as its values file has them; else the chart's defaults."""
    defaults = inputs.chart.defaults
    try:
        text = reader.read(values_path(service)).decode("utf-8", errors="replace")
        last = complete_values(inputs.chart, text)
    except (OSError, YamlError):
        return defaults
    return last if last.get("stages") and inputs.chart.validator.is_valid(last) else defaults


def _stages(pipeline: Pipeline) -> Stages:
    """Return the stages that deploy something in order, each with the Application that its promotions update."""
    stages = (pipeline.stages[name] for name in pipeline.order)
    return tuple((stage.name, stage.application) for stage in stages if not stage.is_control_flow)
