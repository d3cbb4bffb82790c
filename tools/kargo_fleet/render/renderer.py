"""The manifests of many units, exactly as `helm template` prints them, in few Helm processes instead of one for each.

Units go through Helm in batches (batch.py). A unit is rendered by `helm template` alone when its values file was edited,
because only Helm knows how it reads such a file; when a null in it depends on Helm's version; when its batch fails, to
find the unit that causes it; and always when there are only a few units.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kargo_fleet.clients.helm import Helm
from kargo_fleet.clients.process import ClientError, ClientTimeoutError
from kargo_fleet.clients.running import client_threads
from kargo_fleet.errors import FleetError
from kargo_fleet.files import generated
from kargo_fleet.files.generated import State
from kargo_fleet.files.scratch import scratch_folder
from kargo_fleet.files.workers import processors
from kargo_fleet.findings import Problem
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.merge import merge
from kargo_fleet.fleet.names import release_name, values_path
from kargo_fleet.fleet.values import complete_values
from kargo_fleet.render import documents
from kargo_fleet.render.batch import Batch
from kargo_fleet.render.batch import build as build_batch
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.words import first_of

_SIZE = 500  # units of a batch: the start of Helm is a tenth of its time, and the manifests need little memory
_FEW = 8  # about as fast one by one
# What Python and Go read or write differently: line ends, the byte order mark, surrogates.
_ODD = re.compile(r"\r|\A\ufeff|\\u[dD]")
NOT_RENDERED = "KF803"  # the code of every problem that keeps a unit from being rendered
_CHECK = "run `kargo-fleet check`"

T = TypeVar("T")


@dataclass(frozen=True)
class RenderedUnit:
    """One unit: `text` is the output of `helm template`, "" when there are problems."""

    service: str
    text: str = ""
    problems: tuple[Problem, ...] = ()


def render(
    chart: Chart, units: Mapping[str, str], *, note: Callable[[str], None] = lambda _: None
) -> Generator[RenderedUnit, None, None]:
    """Yield the manifests of each unit, in the order of `units`: {service: text of its values file}.

    The result is the output of `helm template <release> <chart> --values values/<service>.yaml`, or its error. `note` is
    called with remarks about the run for the user. Memory stays bounded as long as the results are not kept.
    Raises FleetError without Helm, or when Helm cannot use the chart.
    """
    helm = Helm()
    with scratch_folder() as folder:
        engine = _Engine(helm, chart, folder, None)
        if len(units) > _FEW:
            engine = engine.with_batch(units, note)
        size = min(_SIZE, -(-len(units) // processors()) or 1)
        # One more thread than Helm processes, so that one can read and print meanwhile.
        with client_threads(processors() + 1) as pool:
            yield from _in_order(pool, engine.render, _chunks(units.items(), size))


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(itertools.islice(rest, size)):
        yield chunk


def _in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[list[tuple[str, str]]], list[RenderedUnit]],
    chunks: Iterable[list[tuple[str, str]]],
) -> Iterator[RenderedUnit]:
    """Process the chunks in parallel, a few ahead of the chunk whose results are consumed."""
    ahead: deque[Future[list[RenderedUnit]]] = deque()
    for chunk in chunks:
        ahead.append(pool.submit(work, chunk))
        if len(ahead) > processors() + 1:
            yield from ahead.popleft().result()
    while ahead:
        yield from ahead.popleft().result()


@dataclass(frozen=True)
class _Engine:
    """Renders units; one at a time without a `batch`."""

    helm: Helm
    chart: Chart
    folder: Path
    batch: Batch | None

    def with_batch(self, units: Mapping[str, str], note: Callable[[str], None]) -> _Engine:
        """Return this engine with a batch, if batches of this chart render exactly as single units do."""
        try:
            batch = build_batch(self.helm, self.chart.path, self.folder)
        except ClientError as error:
            raise FleetError(f"Helm cannot use the chart {self.chart.path}: {error.message}") from None
        if batch is not None:
            engine = _Engine(self.helm, self.chart, self.folder, batch)
            if engine.is_exact(units):
                return engine
        note("this chart cannot be rendered in batches; running one Helm process per service, which takes longer")
        return self

    def is_exact(self, units: Mapping[str, str]) -> bool:
        """Return whether a batch prints what `helm template` prints, for the unit with the longest values file."""
        for service in sorted(units, key=lambda name: len(units[name]), reverse=True):
            if (values := self.values(units[service])) is not None:
                expected = self.alone(service, units[service])
                return bool(expected.problems) or self.together({service: values}) == {service: expected}
        return True

    def render(self, units: list[tuple[str, str]]) -> list[RenderedUnit]:
        """Render some units, in batches where that is exact."""
        done: dict[str, RenderedUnit] = {}
        ready: dict[str, Mapping[str, Any]] = {}
        texts = dict(units)
        for service, text in units:
            values = self.values(text)
            if values is None:
                done[service] = self.alone(service, text)
            elif not self.chart.validator.is_valid(values):
                done[service] = RenderedUnit(service, "", tuple(self.refused(values, text)))
            else:
                ready[service] = values
        done |= self.divided(ready, texts)
        return [done[service] for service, _ in units]

    def values(self, text: str) -> dict[str, Any] | None:
        """Return the complete values of a unit, None when only Helm can compute them."""
        if self.batch is None or _ODD.search(text) or generated.state(text, None) is not State.OUTDATED:
            return None
        try:
            own = yaml_reader.parse(text)
        except yaml_reader.YamlError:
            return None
        return merge(self.batch.defaults, own) if _nulls_remove(self.batch.defaults, own) else None

    def refused(self, values: Mapping[str, Any], text: str) -> Iterator[Problem]:
        """Yield the violations of the chart's schema, with their position in the values file."""
        for found in self.chart.validator.problems(values):
            position, _ = yaml_reader.locate(text, found.path, key=found.at_key)
            yield found._replace(code=NOT_RENDERED, position=position)

    def located(self, text: str) -> Iterator[Problem]:
        """Yield the same for a values file that Helm has refused; nothing when it cannot be parsed here."""
        try:
            values = complete_values(self.chart, text)
        except yaml_reader.YamlError:
            return
        yield from self.refused(values, text)

    def divided(self, values: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str]) -> dict[str, RenderedUnit]:
        """Render units together; when that fails, in two halves, until few enough are left to render them one by one."""
        if len(values) > _FEW and (done := self.together(values)) is not None:
            # The result lacks units that only Helm can render.
            return {service: done.get(service) or self.alone(service, texts[service]) for service in values}
        if len(values) <= _FEW:
            return {service: self.alone(service, texts[service]) for service in values}
        items = list(values.items())
        middle = len(items) // 2
        return self.divided(dict(items[:middle]), texts) | self.divided(dict(items[middle:]), texts)

    def together(self, values: Mapping[str, Mapping[str, Any]]) -> dict[str, RenderedUnit] | None:
        """Render units in one process; return None when Helm cannot render one of them."""
        assert self.batch is not None
        try:
            files = self.batch.render(values)
        except ClientTimeoutError as error:
            raise _endless(error, values) from None
        except ClientError:
            return None
        done = {}
        for service, its in files.items():
            try:
                done[service] = RenderedUnit(service, documents.printed(its))
            except documents.Unclear:
                continue
        return done

    def alone(self, service: str, text: str) -> RenderedUnit:
        """Render one unit with `helm template`."""
        file = Path(values_path(service))  # the path in Helm's messages
        path = self.folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode(errors="surrogateescape"))
        chart = str(self.chart.path.resolve())
        try:
            printed = self.helm.run("template", release_name(service), chart, "--values", str(file), folder=self.folder)
        except ClientTimeoutError as error:
            raise _endless(error, [service]) from None
        except ClientError as error:
            located = tuple(self.located(text)) if "the schema" in error.message else ()
            return RenderedUnit(service, "", located or (Problem(NOT_RENDERED, error.message, _fix(error.message)),))
        finally:
            path.unlink()
        return RenderedUnit(service, printed.decode(errors="replace"))


def _endless(error: ClientTimeoutError, services: Iterable[str]) -> FleetError:
    """Return the error that ends the run: how long a template takes depends on the machine, so no unit is left out for it."""
    return FleetError(
        f"{error.message} while it rendered {first_of(list(services))}\nCorrect the templates of the chart."
    )


def _nulls_remove(base: Mapping[str, Any], over: Mapping[str, Any]) -> bool:
    """Return whether every null removes a value. What any other null does depends on the version of Helm."""
    for key, value in over.items():
        below = base.get(key)
        if value is None:
            if below is None:
                return False
        elif isinstance(value, dict) and not _nulls_remove(below if isinstance(below, dict) else {}, value):
            return False
    return True


def _fix(message: str) -> str:
    if message.startswith("failed to parse"):
        return "correct the file, or run `kargo-fleet generate --force` to write it again"
    if "these values cannot work" in message or "the schema" in message:
        return _CHECK
    return f"{_CHECK}; if it reports nothing, correct the chart"
