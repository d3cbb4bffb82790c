"""Installing and upgrading units with Helm, in parallel, with retries."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from kargo_fleet.clients.helm import Version
from kargo_fleet.clients.kube import ClusterTarget, Kube
from kargo_fleet.clients.process import ClientError, TransientError
from kargo_fleet.clients.retrying import retry_transient
from kargo_fleet.clients.running import client_threads
from kargo_fleet.errors import FleetError
from kargo_fleet.files.reading import MOST_SHARED, RepositoryReader, is_absent, read_bytes
from kargo_fleet.findings import Finding, Place, Problem
from kargo_fleet.fleet import scan
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.examples import has_example
from kargo_fleet.fleet.failures import failure
from kargo_fleet.fleet.names import PROJECT_LABEL, RELEASE_REVISIONS, release_name, values_path
from kargo_fleet.rollout.releases import foreign

#: Helm refuses a release that another run left as pending. After this time the other run has ended.
_HELM_TIMEOUT = 60
_DIGEST = "kargo-fleet.digest"
_IN_PROGRESS = "another operation"
_UNOWNED = 'missing key "meta.helm.sh/release-name"'


@dataclass(frozen=True)
class Options:
    """The options of the command."""

    skip_namespace: bool = False
    dry_run: bool = False
    force: bool = False


@dataclass(frozen=True)
class Release:
    """The Helm release of one unit: its values file, and a digest of that file and the chart."""

    service: str
    name: str
    file: str
    digest: str

    def failed(self, message: str, fix: str) -> Finding:
        """Return the finding about a failed installation."""
        return Finding(Place(self.file), "KF801", message, fix, self.service)


@dataclass(frozen=True)
class Deployment:
    """The `releases` to install. `findings` are about services that cannot be; `services` counts all requested ones."""

    root: Path
    kube: Kube
    chart: Path
    namespace: str
    helm: Version
    options: Options
    releases: tuple[Release, ...]
    up_to_date: int
    services: int
    findings: tuple[Finding, ...]
    project_of: Callable[[str], str]


def prepare(
    root: Path,
    kube: Kube,
    target: ClusterTarget,
    chart: Chart,
    fleet: Fleet,
    services: Sequence[str],
    options: Options,
    unfit: Mapping[str, Problem] = MappingProxyType({}),
) -> Deployment:
    """Compare the values files with the releases in the cluster. `unfit` says of services why they must not be deployed.

    Raises FleetError without services, for a name that is no service, without Kargo, and when Helm's version cannot do
    what `options` ask for.
    """
    known, none = scan.services(fleet)
    if services:
        known = scan.chosen(fleet, services, known, also=lambda name: not is_absent(root / values_path(name)))
    for finding in none if not known else ():
        raise failure(finding)
    helm = kube.helm_version()
    if options.force and helm.major == 3:
        raise FleetError("--force requires Helm 4: Helm 3 does not overwrite fields that were changed by hand")
    releases, missing = _releases(root, chart.path, known, options, unfit)
    if not kube.knows("projects.kargo.akuity.io"):
        raise FleetError(f"context {target.context} ({target.server}) has no Kargo; install Kargo first")
    deployed = _deployed(kube, target.namespace)
    others = _foreign(kube, target.namespace, releases, deployed)
    taken = [_taken(release, target.namespace, others[release.name]) for release in releases if release.name in others]
    ours = [release for release in releases if release.name not in others]
    done = set() if options.force else deployed
    todo = tuple(release for release in ours if (release.name, release.digest) not in done)
    return Deployment(
        root=root,
        kube=kube,
        chart=chart.path,
        namespace=target.namespace,
        helm=helm,
        options=options,
        releases=todo,
        up_to_date=len(ours) - len(todo),
        services=len(known),
        findings=(*missing, *taken),
        project_of=fleet.project_of,
    )


def install(deployment: Deployment, jobs: int = 0) -> Iterator[tuple[Release, Finding | None]]:
    """Install the releases, `jobs` at a time (by default two per processor); yield each with its finding, None on success."""
    with client_threads(jobs or 2 * (os.cpu_count() or 1)) as pool:
        futures = {pool.submit(_install, deployment, release): release for release in deployment.releases}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _releases(
    root: Path, chart: Path, names: Sequence[str], options: Options, unfit: Mapping[str, Problem]
) -> tuple[list[Release], list[Finding]]:
    """Return the releases to deploy, and findings for services without a values file that may be deployed."""
    releases, findings = [], []
    chart_digest = _chart_digest(chart)
    for name in names:
        file = values_path(name)
        if name in unfit:
            findings.append(unfit[name].in_file(file, name))
            continue
        try:
            content = RepositoryReader(root, most=MOST_SHARED).read(file)
        except FileNotFoundError:
            message = f"{name} has no values file"
            findings.append(Finding(Place(file), "KF801", message, "run `kargo-fleet generate`", name))
            continue
        except OSError as error:
            message = f"{name} was not deployed: its values file cannot be read: {error.strerror}"
            findings.append(Finding(Place(file), "KF801", message, f"run `kargo-fleet check {name}`", name))
            continue
        if has_example(content.decode("utf-8", "replace")):
            message = f"{file} still has an example of the template"
            findings.append(Finding(Place(file), "KF801", message, "run `kargo-fleet generate`", name))
            continue
        digest = hashlib.sha256(chart_digest + content + bytes([options.skip_namespace])).hexdigest()[:40]
        releases.append(Release(name, release_name(name), file, digest))
    return releases, findings


def _chart_digest(chart: Path) -> bytes:
    digest = hashlib.sha256()
    for file in sorted([chart / "Chart.yaml", chart / "values.yaml", *(chart / "templates").rglob("*")]):
        if file.is_file():
            digest.update(file.relative_to(chart).as_posix().encode() + b"\0" + read_bytes(file))
    return digest.digest()


def _deployed(kube: Kube, namespace: str, release: str = "") -> set[tuple[str, str]]:
    """Return the deployed releases, or only `release`, each with the digest of the chart and values it was installed from."""
    columns = f"NAME:.metadata.labels.name,DIGEST:.metadata.labels.{_DIGEST.replace('.', chr(92) + '.')}"
    selector = "owner=helm,status=deployed" + (f",name={release}" if release else "")
    options = [
        "--namespace",
        namespace,
        "--selector",
        selector,
        "--output",
        f"custom-columns={columns}",
        "--no-headers",
    ]
    text = kube.kubectl("get", "secrets", *options)
    return {(name, digest) for name, digest, *_ in (line.split() for line in text.splitlines() if line.split())}


def _foreign(kube: Kube, namespace: str, releases: Sequence[Release], deployed: set[tuple[str, str]]) -> dict[str, str]:
    """Return the release names that another chart uses, and that chart: Helm would replace such a release with the unit."""
    unmarked = {name for name, digest in deployed if digest == "<none>"}  # by Helm alone, or another chart
    return foreign(kube, namespace, unmarked & {release.name for release in releases})


def _taken(release: Release, namespace: str, chart: str) -> Finding:
    message = f"{release.service} was not deployed: the release {release.name} in namespace {namespace} belongs to the chart {chart}"
    return release.failed(message, "use a context with another namespace for releases, see docs/deploying.md")


def _install(deployment: Deployment, release: Release) -> Finding | None:
    """Install one release; return the finding about its failure, None on success."""
    try:
        retry_transient(_attempt, deployment, release)
    except ClientError as error:
        return release.failed(f"{release.service} was not deployed: {error.message}", _fix(error.message))
    return None


def _attempt(deployment: Deployment, release: Release) -> None:
    options = deployment.options
    arguments = ["upgrade", "--install", release.name, str(deployment.chart), "--namespace", deployment.namespace]
    arguments += deployment.helm.without_waiting
    arguments += ["--values", str(deployment.root / release.file), "--set-string", f"service.name={release.service}"]
    arguments += [
        "--timeout",
        f"{_HELM_TIMEOUT}s",
        "--history-max",
        str(RELEASE_REVISIONS),
        "--labels",
        f"{_DIGEST}={release.digest}",
    ]
    arguments += ["--set", "namespace.create=false"] if options.skip_namespace else []
    arguments += ["--dry-run=server"] if options.dry_run else []
    # A field that was changed by hand has another field manager; Helm overwrites it only with --force-conflicts.
    arguments += ["--force-conflicts"] if options.force else []
    try:
        deployment.kube.helm(*arguments)
    except ClientError as error:
        if _IN_PROGRESS in error.message and not options.dry_run:
            _remove_stale_lock(deployment, release)
            raise TransientError(error.message) from None
        if f'namespaces "{deployment.project_of(release.service)}" not found' in error.message:
            raise TransientError(error.message) from None  # made a moment ago, by this command
        if _UNOWNED in error.message and not options.dry_run and _take_namespace(deployment, release):
            raise TransientError(error.message) from None
        raise
    # Helm reports success even when its last write fails, which records the release as deployed.
    if not options.dry_run and (release.name, release.digest) not in _deployed(
        deployment.kube, deployment.namespace, release.name
    ):
        raise TransientError("Helm could not record the release as deployed")


def _remove_stale_lock(deployment: Deployment, release: Release) -> None:
    """Remove the record of an operation that has ended, as a killed run leaves it.

    Its objects stay: they carry the release's name, so the next attempt takes them over.
    """
    selector = f"owner=helm,name={release.name},status in (pending-install,pending-upgrade,pending-rollback)"
    listed = deployment.kube.kubectl(
        "get", "secrets", "--namespace", deployment.namespace, "--selector", selector, "--output", "json"
    )
    for secret in json.loads(listed)["items"]:
        labels = secret["metadata"]["labels"]
        since = int(labels.get("modifiedAt") or labels.get("createdAt") or 0)
        if time.time() - since > _HELM_TIMEOUT:
            name, options = secret["metadata"]["name"], ("--interactive=false", "--namespace", deployment.namespace)
            deployment.kube.kubectl("delete", "secret", name, *options)


def _take_namespace(deployment: Deployment, release: Release) -> bool:
    """Give the release the namespace that Kargo made for its Project; return whether there is one.

    Helm goes on with the Project after the API server has failed to make the Namespace, and Kargo makes the namespace of a
    Project that has none. Helm refuses to import what is not marked as the release's, so that no later attempt would pass.
    """
    name = deployment.project_of(release.service)
    owner = {"meta.helm.sh/release-name": release.name, "meta.helm.sh/release-namespace": deployment.namespace}
    projects = deployment.kube.get("projects.kargo.akuity.io", name)
    namespaces = deployment.kube.get("namespaces", name)
    if not projects or not namespaces:
        return False
    of_project, of_namespace = ((found[0]["metadata"].get("annotations") or {}) for found in (projects, namespaces))
    if not owner.items() <= of_project.items() or owner.keys() & of_namespace.keys():
        return False
    deployment.kube.kubectl("annotate", "namespace", name, *(f"{key}={value}" for key, value in owner.items()))
    deployment.kube.kubectl("label", "--overwrite", "namespace", name, "app.kubernetes.io/managed-by=Helm")
    return True


def _fix(problem: str) -> str:
    if "is not labeled as a Project namespace" in problem:
        return f"if the namespace is meant for Kargo: kubectl label namespace NAMESPACE {PROJECT_LABEL}=true"
    if "Apply failed with" in problem:
        return "the field was changed by hand: move the change into kargo.yaml, or overwrite it with --force"
    if _UNOWNED in problem:
        return "the object was created without Helm, by Argo CD or by hand: docs/deploying.md#helm-or-argo-cd"
    if "invalid ownership metadata" in problem:
        return "another release owns the object: use a context with the namespace that it was installed from"
    if "these values cannot work" in problem or "schema" in problem:
        return "run `kargo-fleet check`"
    return "run the command again; it continues where it stopped"
