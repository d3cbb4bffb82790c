"""The desired state of the generated files: each with its text, its state on disk, and all findings."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kargo_fleet.argocd import manifests, validate
from kargo_fleet.argocd.settings import StageApplication
from kargo_fleet.files import generated, workers
from kargo_fleet.files.generated import Output, State
from kargo_fleet.files.reading import is_absent
from kargo_fleet.files.writing import folders_of
from kargo_fleet.findings import Finding, Place, merged
from kargo_fleet.fleet import scan
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.config import Fleet, group_findings
from kargo_fleet.fleet.examples import example_findings
from kargo_fleet.fleet.load import load
from kargo_fleet.fleet.names import ADMISSION_FILE, ARGOCD, FLEET_FILE, VALUES, is_service_name, values_path
from kargo_fleet.fleet.policy_section import cluster_settings
from kargo_fleet.generate.admission_file import admission_text
from kargo_fleet.generate.argocd_inputs import Unchecked, argocd_inputs, place_in_fleet_file
from kargo_fleet.generate.cache import Cache, open_cache
from kargo_fleet.generate.evaluate import EvaluatedService, cached, evaluator
from kargo_fleet.generate.listed import unlisted_findings
from kargo_fleet.generate.workload_kind import with_workload_kind
from kargo_fleet.unit.build import Inputs
from kargo_fleet.unit.values_file import HEADER

_Answers = Iterable[EvaluatedService | None]


@dataclass
class Desired:
    """The files that should be in the repository, and the findings about it.

    `unchecked` names what Argo CD reads from elsewhere, which was not looked at.
    """

    chart: Chart
    fleet: Fleet
    services: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    replaced: list[Output] = field(default_factory=list)
    orphans: list[Output] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)


def desired_state(
    root: Path,
    names: Sequence[str] = (),
    *,
    image_repository: str | None = None,
    git_repo_url: str | None = None,
    use_cache: bool = True,
    progress: Callable[[_Answers, int], _Answers] = lambda answers, _: answers,
) -> Desired:
    """Compute the desired state of the services in `names`, or of the whole fleet and `argocd/` if none is named.

    No file of the repository is written. With `use_cache`, results of earlier runs over the whole fleet are used where they
    are still valid. `progress` is passed the answers of all services as they come, and how many there will be. Raises
    FleetError for a name that is not a service.
    """
    chart, fleet, findings = load(root, image_repository=image_repository, git_repo_url=git_repo_url)
    desired = Desired(chart, fleet, findings=findings + example_findings(fleet.file))
    if fleet.broken:
        return desired
    if names:
        known, _ = scan.services(fleet)
        names = scan.chosen(fleet, names, known, also=lambda name: not is_absent(root / values_path(name)))
        desired.services = [name for name in names if name in known]
        desired.findings += unlisted_findings(fleet, filter(is_service_name, desired.services))
    else:
        desired.services, found = scan.services(fleet)
        desired.findings += found
        desired.findings += group_findings(fleet, chart, desired.services) if desired.services else []
    # One service is evaluated faster than the whole cache is read.
    cache = _cache(chart, fleet) if use_cache and not names else Cache()
    inputs = Inputs(fleet, chart)
    services = _evaluate(inputs, cache, desired.services, progress)
    desired.findings += merged(one.findings for one in services)
    desired.broken = [one.service for one in services if one.broken]
    desired.outputs = [one.output for one in services if one.output]
    # Where services may be hidden, the last good files stay. Without any service, nothing is reported as an orphan.
    if not names and desired.services and not fleet.tree.incomplete:
        _add_argocd(desired, root, services)
        _add_admission(desired, root, inputs)
    if (names or desired.services) and not fleet.tree.incomplete:
        desired.orphans, found = _orphans(root, names, desired.services)
        desired.findings += found
    _leave_links(desired, root)
    desired.findings = merged([desired.findings])
    return desired


def _leave_links(desired: Desired, root: Path) -> None:
    """Leave alone what is behind a symbolic link in the place of a folder of generated files: it may be anybody's."""
    paths = [item.path for items in (desired.outputs, desired.replaced, desired.orphans) for item in items]
    for folder in sorted({VALUES, ARGOCD, *folders_of(paths)}):
        if (root / folder).is_symlink():
            message = "is a symbolic link, through which nothing is read, written or removed"
            desired.findings.append(
                Finding(
                    Place(folder), "KF009", message, f"replace the link with a folder: `rm {folder} && mkdir {folder}`"
                )
            )
            for items in (desired.outputs, desired.replaced, desired.orphans):
                items[:] = [item for item in items if not item.path.startswith(f"{folder}/")]


def _evaluate(
    inputs: Inputs, cache: Cache, names: Sequence[str], progress: Callable[[_Answers, int], _Answers]
) -> list[EvaluatedService]:
    """Return the result for each service, from the cache where its entry is valid."""
    answers = list(progress(workers.ordered(evaluator(inputs, cache), names), len(names)))
    services = [answer or cached(cache, name) for name, answer in zip(names, answers, strict=True)]
    if any(answers) or not cache.holds(names):
        cache.save({one.service: one.entry for one in services if one.entry})
    return services


def _cache(chart: Chart, fleet: Fleet) -> Cache:
    # fleet.data, too: it includes the options of the command line. The order of its keys is that of the generated files.
    # What the tree as a whole says shows in no lookup of a service: a name or a Project that is taken twice, a link, a stage.
    shared = [fleet.data, fleet.missing, fleet.recorded, chart.defaults, chart.schema]
    tree = fleet.tree
    odd = [found for found in (tree.twice, tree.links, tree.stages, tree.faults, fleet.shared_projects) if found]
    return open_cache(fleet.root, [fleet.text, json.dumps([*shared, *odd])])


def _add_argocd(desired: Desired, root: Path, services: list[EvaluatedService]) -> None:
    fleet = desired.fleet
    made = {found: [StageApplication(*stage) for stage in found] for found in {one.stages for one in services}}
    stages = {one.service: made[one.stages] for one in services if is_service_name(one.service)}
    shards = {one.service: one.shard for one in services} if fleet.shards else {}
    try:
        fleet = with_workload_kind(fleet, stages)
    except OSError as error:  # the last good files stay
        desired.findings.append(_unreadable(os.path.relpath(error.filename, root), error))
        return
    found = [
        _placed(finding, fleet)
        for finding in validate.findings(fleet.data, stages, shards, fleet.teams, fleet.projects)
    ]
    reported = {finding.path for finding in desired.findings if finding.path and finding.code == "KF104"}
    desired.findings += [finding for finding in found if finding.path not in reported]
    missing = {finding.place.file for finding in desired.findings if finding.code == "KF401"}
    inputs = argocd_inputs(fleet, stages, missing)
    desired.findings += [*inputs.blocking, *inputs.others]
    desired.unchecked = inputs.unchecked
    if inputs.blocking or any(not finding.service for finding in found):
        return  # the last good files stay
    named = validate.without_clashes(fleet.data, stages, fleet.teams, fleet.projects)
    files = manifests.manifests(fleet.data, named, shards, fleet.teams, fleet.projects)
    header = HEADER.format(sources=f"{FLEET_FILE} and {fleet.layout.base}/", those="those")
    for path, body in files.items():
        _add_output(desired, root, path, generated.render([header], body))
    desired.replaced, unread = _replaced(root, files)
    desired.findings += unread
    if commands := manifests.handover(fleet.data, [item.current or "" for item in desired.replaced]):
        message = "ApplicationSets are renamed; hand their Applications over, or two sets claim them"
        fix = "after the push: " + " && ".join(commands)
        desired.findings.append(Finding(Place(ARGOCD), "KFW601", message, fix))


def _add_admission(desired: Desired, root: Path, inputs: Inputs) -> None:
    """Add the policy in the cluster. While a group is invalid, what its services may do is not known: the last good file stays."""
    if not cluster_settings(inputs.fleet.data).enabled:
        desired.replaced += _unwanted(root, [ADMISSION_FILE], desired.findings)
    elif not any(group.broken for group in inputs.fleet.groups):
        _add_output(desired, root, ADMISSION_FILE, admission_text(inputs, desired.services))


def _placed(finding: Finding, fleet: Fleet) -> Finding:
    """Return a finding about a value of fleet.yaml at its place there, and that about a service at a folder of it."""
    if finding.service and fleet.layout.has_stages:
        return replace(finding, place=Place(fleet.folder_of(finding.service)))
    if finding.place != Place(FLEET_FILE) or not finding.path:
        return finding
    return replace(finding, place=place_in_fleet_file(fleet, finding.path))


def _add_output(desired: Desired, root: Path, path: str, wanted: str) -> None:
    try:
        desired.outputs.append(generated.compare(root, path, wanted))
    except OSError as error:
        desired.findings.append(generated.unreadable(path, error))


def _replaced(root: Path, manifests: Collection[str]) -> tuple[list[Output], list[Finding]]:
    """Return the files of argocd/ that are no longer generated, for instance sets that were split; and what cannot be read."""
    findings: list[Finding] = []
    files = [path for path in _yaml_files(root, ARGOCD, findings) if path not in manifests]
    return _unwanted(root, files, findings), findings


def _unwanted(root: Path, paths: Iterable[str], findings: list[Finding]) -> list[Output]:
    """Return those of the files that were generated, and no longer are; add to `findings` what cannot be read."""
    found = []
    for path in paths:
        text = _text(root, path, findings)
        state = generated.state(text, None)
        if state not in (State.FOREIGN, State.MISSING):
            found.append(Output(path, None, text, state))
    return found


def _yaml_files(root: Path, folder: str, findings: list[Finding]) -> list[str]:
    """Return the paths of the .yaml files below a folder, sorted; a folder that cannot be listed is a finding."""

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            findings.append(_unreadable(os.path.relpath(error.filename, root), error))

    return sorted(
        (Path(here) / name).relative_to(root).as_posix()
        for here, _, names in os.walk(root / folder, onerror=failed)
        for name in names
        if name.endswith(".yaml")
    )


def _text(root: Path, path: str, findings: list[Finding]) -> str | None:
    """Return the text of a file that may have been generated; None for what is no file, and for one that cannot be read."""
    try:
        return generated.read(root / path) if stat.S_ISREG(os.lstat(root / path).st_mode) else None
    except FileNotFoundError:
        return None
    except OSError as error:
        findings.append(_unreadable(path, error))
        return None


def _unreadable(path: str, error: OSError) -> Finding:
    return Finding(Place(path), "KF001", f"cannot be read: {error.strerror}", "allow it to be read, or remove it")


def _orphans(root: Path, names: Sequence[str], services: list[str]) -> tuple[list[Output], list[Finding]]:
    """Return the values files of services that no longer exist, and findings about files that were never generated."""
    try:
        files = sorted(entry.name for entry in os.scandir(root / VALUES) if not entry.name.startswith("."))
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [_unreadable(VALUES, error)]
    expected = {f"{service}.yaml" for service in services}
    if names:
        files = [file for file in files if file.removesuffix(".yaml") in names]
    orphans: list[Output] = []
    findings: list[Finding] = []
    for file in files:
        if file in expected:
            continue
        path = f"{VALUES}/{file}"
        before = len(findings)
        text = _text(root, path, findings)
        state = generated.state(text, None)
        if len(findings) > before:
            continue
        if state in (State.FOREIGN, State.MISSING):
            findings.append(
                Finding(
                    Place(path),
                    "KFW503",
                    "was not generated by kargo-fleet and is ignored",
                    f"move it out of {VALUES}/, which is for generated files",
                )
            )
        else:
            orphans.append(Output(path, None, text, state, file.removesuffix(".yaml")))
    return orphans, findings
