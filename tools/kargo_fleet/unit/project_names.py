"""The name of a unit's Project: a name that a namespace can have, the platform's choice, and no other unit's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kargo_fleet.findings import Finding, Problem
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.layers import Layer, decides, in_layer
from kargo_fleet.fleet.names import DNS_LABEL, FLEET_FILE, LONGEST_NAMESPACE, OTHERS_NAMESPACES, fault_of
from kargo_fleet.fleet.pipeline import Pipeline
from kargo_fleet.text.words import enumerate_words

_PATH = ("project", "name")
_LABEL = re.compile(DNS_LABEL, re.ASCII)


def problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield the problem with the name, unless the service's name is wrong already."""
    name = pipeline.project
    if fault_of(pipeline.service):
        return
    if len(name) > LONGEST_NAMESPACE or not _LABEL.fullmatch(name):
        message = f'project.name: "{name}" is not a DNS label of at most 63 characters (a-z, 0-9 and -), as names of namespaces are'
        yield Problem("KF103", message, "shorten it, or rename the service", _PATH)
    elif name in OTHERS_NAMESPACES or name.startswith("kube-"):
        message = f'project.name: "{name}" is reserved; it is a namespace of Kargo or Kubernetes'
        yield Problem("KF202", message, "choose another name", _PATH)


def name_findings(fleet: Fleet, layers: Sequence[Layer], service: str) -> list[Finding]:
    """Return the findings about a Project that the service named itself, or that several services have."""
    findings = [
        in_layer(Problem("KF204", "project.name: must not be set here", _fix(service), _PATH), layer, service)
        for layer in layers
        if layer.file != FLEET_FILE and decides([layer], _PATH)
    ]
    if findings or not fleet.shared_projects:  # as in nearly all fleets
        return findings
    name = fleet.project_of(service)
    same = fleet.shared_projects.get(name, [])
    if service in same:
        deciding = [layer for layer in layers if layer.file == FLEET_FILE and decides([layer], _PATH)]
        message = f'project.name: "{name}" is the Project of {enumerate_words(same)}; every service needs its own'
        problem = Problem(
            "KF206", message, "use <service> in the name, or name each service in a group of its own", _PATH
        )
        findings += [in_layer(problem, layer) for layer in deciding[-1:]]
    return findings


def _fix(service: str) -> str:
    group = f"{service}: {{services: [{service}], values: {{project: {{name: NAME}}}}}}"
    return f"remove it; the platform names Projects, as with `groups: {{{group}}}` in {FLEET_FILE}"
