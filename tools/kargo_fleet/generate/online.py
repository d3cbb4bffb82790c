"""Look at the chart where Argo CD will: in a registry, a Helm repository, or another Git repository or revision."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from kargo_fleet.argocd.settings import argo_fleet
from kargo_fleet.clients.git import file_of_remote
from kargo_fleet.clients.helm import Helm
from kargo_fleet.clients.process import ClientError
from kargo_fleet.errors import FleetError
from kargo_fleet.files.scratch import scratch_folder
from kargo_fleet.findings import Finding
from kargo_fleet.fleet.chart import CHART_FILE, Chart, ChartError, read_chart
from kargo_fleet.fleet.chart_source import CHART_NAME, ChartSource, Origin
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.generate.argocd_inputs import place_in_fleet_file
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.words import one_line

_TIMEOUT = 60  # seconds
#: What Helm, registries and Git print when the place answers, and does not have it.
_ABSENT = re.compile(
    r"not found|\b404\b|manifest unknown|name unknown|couldn't find remote ref|not our ref", re.IGNORECASE
)
#: What they print when they know who asks, or do not, and give no answer.
_REFUSED = re.compile(
    r"\b40[13]\b|unauthorized|forbidden|denied|authenticat|credential|could not read (username|password)", re.IGNORECASE
)
_PLAIN = "server gave HTTP response to HTTPS client"


def online_findings(fleet: Fleet, chart: Chart) -> list[Finding]:
    """Return what is wrong with the chart that Argo CD will read from elsewhere; [] when it is read from this repository."""
    argo = argo_fleet(fleet.data)
    source = argo.chart
    if source.origin is Origin.REPOSITORY:
        return []
    with scratch_folder() as scratch:
        try:
            if source.is_package:
                return list(_package(fleet, source, chart, scratch))
            return list(_folder(fleet, source, chart, source.revision or argo.revision, scratch))
        except ClientError as error:
            return [_failed(fleet, source, error.message)]
        except FleetError as error:  # without Helm or Git
            message, _, fix = str(error).partition("\n")
            return [_unknown(fleet, source, message, fix)]


def _failed(fleet: Fleet, source: ChartSource, message: str) -> Finding:
    """Return the finding for a chart that a client could not read: it is not there, or nobody knows."""
    place = place_in_fleet_file(fleet, ("chart", source.origin.value))
    if _ABSENT.search(message):
        fix = "correct chart in fleet.yaml, or publish the chart there"
        return Finding(place, "KF602", f"Argo CD will not find the chart: {one_line(message)}", fix)
    host = source.repo_url.removeprefix("https://").removeprefix("http://").partition("/")[0]
    fix = f"check that {host} is right and can be reached from here"
    if _REFUSED.search(message):
        fix = f"log in with `helm registry login {host}`" if source.origin is Origin.OCI else "check the credentials"
    return _unknown(fleet, source, message, f"{fix}, then try again")


def _unknown(fleet: Fleet, source: ChartSource, message: str, fix: str) -> Finding:
    place = place_in_fleet_file(fleet, ("chart", source.origin.value))
    fix = f"{fix[:1].lower()}{fix[1:].rstrip('.')}"
    return Finding(place, "KF603", f"the chart {source} could not be checked: {one_line(message)}", fix)


def _package(fleet: Fleet, source: ChartSource, chart: Chart, scratch: Path) -> Iterator[Finding]:
    """Yield how a package differs from the chart that values are computed with."""
    where = [source.url] if source.origin is Origin.OCI else [CHART_NAME, "--repo", source.url]
    arguments = ["pull", *where, "--version", source.version, "--untar", "--untardir", str(scratch)]
    try:
        Helm().run(*arguments, folder=scratch, timeout=_TIMEOUT)
    except ClientError as error:
        if _PLAIN not in error.message:
            raise
        Helm().run(*arguments, "--plain-http", folder=scratch, timeout=_TIMEOUT)
    folder = next(path for path in scratch.iterdir() if path.is_dir())
    place = place_in_fleet_file(fleet, ("chart", source.origin.value))
    try:
        found = read_chart(scratch, folder.name)
    except ChartError as error:
        fix = "correct chart in fleet.yaml"
        yield Finding(place, "KF105", f"{source} is not a kargo-service chart: {error.reason}", fix)
        return
    if (found.defaults, found.schema) != (chart.defaults, chart.schema):
        message = f"{source} has other values than the chart that values are computed with"
        fix = f"set chart.path to a copy of it: `{shlex.join(['helm', 'pull', *where, '--version', source.version, '--untar'])}`"
        yield Finding(place, "KF106", message, fix)


def _folder(fleet: Fleet, source: ChartSource, chart: Chart, revision: str, scratch: Path) -> Iterator[Finding]:
    """Yield how a folder of a Git repository differs from the chart that values are computed with."""
    place = place_in_fleet_file(fleet, ("chart", "path"))
    url = source.url
    text = file_of_remote(url, revision, f"{source.path}/{CHART_FILE}", scratch)
    if text is None:
        message = f"Argo CD will not find the chart: {url} has no {source.path}/{CHART_FILE} at {revision}"
        yield Finding(place, "KF602", message, "correct chart.path or chart.revision in fleet.yaml")
        return
    version = yaml_reader.parse(text).get("version")
    if version != chart.version:
        message = (
            f"{url} has version {version} of the chart at {revision}, but values are computed with {chart.version}"
        )
        fix = f"set chart.revision to a revision with version {chart.version}, or install kargo-fleet {version}"
        yield Finding(place, "KF106", message, fix)
