"""`serviceFile` of fleet.yaml: where a service's own values are, when that is not kargo.yaml in its folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.folder_pattern import SERVICE, TEAM
from kargo_fleet.fleet.names import WRITTEN_FOLDERS
from kargo_fleet.text.patterns import linear
from kargo_fleet.text.words import did_you_mean

_FIRST = r"[A-Za-z0-9_-]"
_PART = rf"({_FIRST}|<service>|<team>)([A-Za-z0-9_.-]|<service>|<team>)*"
#: A path from the root of the repository, in a folder with a fixed name.
_PATTERN = rf"^{_FIRST}[A-Za-z0-9_.-]*/({_PART}/)*{_PART}\.yaml$"
#: It has `<service>` once in it, and is not in a folder that this tool writes.
_WRONG = [
    {"pattern": rf"^({'|'.join(WRITTEN_FOLDERS)})/"},
    {"pattern": "<service>.*<service>"},
    {"not": {"pattern": "<service>"}},
]

#: `kargo/<service>.yaml` is what messages suggest.
EXAMPLE = f"kargo/{SERVICE}.yaml"

SERVICE_FILE_SCHEMA: dict[str, Any] = {
    "description": "File with a service's own values, from the root of the repository: kargo/<service>.yaml. "
    "Default: kargo.yaml in the service's folder; none if `services` has `<stage>`.",
    "type": "string",
    "pattern": _PATTERN,
    "not": {"anyOf": _WRONG},
    "patternErrorMessage": f"the path of a file per service, such as {EXAMPLE}; values, argocd, policy and schemas are for what "
    "kargo-fleet writes",
    "names": True,
    "placeholders": ["service", "team"],
}


def unused_files(root: Path, pattern: str, used: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding for each file that `pattern` describes and that no service has; `used` has the services by their files."""
    named = linear(re.escape(pattern).replace(TEAM, "[^/]+").replace(SERVICE, "([^/]+)"))
    glob = pattern.replace(TEAM, "*").replace(SERVICE, "*")
    try:
        files = sorted(file.relative_to(root).as_posix() for file in root.glob(glob))
    except OSError:  # whoever reads what is there reports it
        return
    for path in files:
        found = named.fullmatch(path)
        if path in used or not found:
            continue
        message = f"this file is ignored: there is no service {found[1]}"
        if found[1] in used.values():
            message = f"this file is ignored: {found[1]} belongs to another team"
        fix = did_you_mean(found[1], used.values(), "rename or remove it")
        yield Finding(Place(path), "KFW201", message, fix)
