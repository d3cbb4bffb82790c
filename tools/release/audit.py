"""`make audit`: what is known against the pinned dependencies, from pip-audit and govulncheck.

The databases are on no package registry. What cannot be looked up is reported as not audited, which is no pass.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from release.errors import ReleaseError
from release.explained import FILE, Explanation, read_explained

PIP_AUDIT = ".tools/audit/venv/bin/pip-audit"
GOVULNCHECK = ".tools/audit/govulncheck"
#: The Go modules whose programs people run: what tests and benchmarks build is not in them.
GO_MODULES = ("tools/cli", "tools/audit")
#: A release with known vulnerabilities. A database that knows none of it answers, but has no data.
CANARY = "pyyaml==5.3"


@dataclass(frozen=True)
class Vulnerability:
    """A vulnerability of a pinned version. `ids` are its names in all databases, `file` says where it is pinned."""

    ids: tuple[str, ...]
    package: str
    version: str
    fixed: tuple[str, ...]
    file: str

    def explained_by(self, explanation: Explanation) -> bool:
        """Return whether an entry of explained.toml is about this one."""
        return explanation.id in self.ids and _normal(explanation.package) == _normal(self.package)

    def __str__(self) -> str:
        other = f" ({', '.join(self.ids[1:])})" if self.ids[1:] else ""
        fix = f"fixed in {' and '.join(self.fixed)}" if self.fixed else "no version fixes it"
        return f"{self.file}: {self.ids[0]}{other} in {self.package} {self.version}: {fix}"


class NotAuditedError(ReleaseError):
    """A database gave no answer for all of a file."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if nothing is known that is not explained, 1 if something is, 2 if not everything could be looked up."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--osv-url", help="another address of the OSV API, for Python packages")
    parser.add_argument("--vulndb-url", help="another address of the Go vulnerability database, also file://")
    given = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        explained = read_explained(root / FILE)
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return report(
        *look_up(root, given.osv_url, given.vulndb_url), explained, datetime.datetime.now(datetime.UTC).date()
    )


def look_up(root: Path, osv_url: str | None, vulndb_url: str | None) -> tuple[list[Vulnerability], list[str]]:
    """Return what is known, and what could not be looked up."""
    files = requirements_files(root)
    try:
        require_data(root, osv_url)
        audits: list[Callable[[], list[Vulnerability]]] = [partial(audit_python, root, file, osv_url) for file in files]
        missing = []
    except NotAuditedError as error:
        audits, missing = [], [f"{', '.join(files)}: {error}"]
    audits += [partial(audit_go, root, module, vulndb_url) for module in GO_MODULES]
    found: list[Vulnerability] = []
    for audit in audits:
        try:
            found += audit()
        except NotAuditedError as error:
            missing.append(str(error))
    return found, missing


def requirements_files(root: Path) -> list[str]:
    """Return every file that pins Python packages."""
    patterns = ("requirements*.txt", "tools/*/requirements.txt", "bench/*/requirements.txt")
    return sorted(file.relative_to(root).as_posix() for pattern in patterns for file in root.glob(pattern))


def report(
    found: Iterable[Vulnerability], missing: Sequence[str], explained: Sequence[Explanation], today: datetime.date
) -> int:
    """Print what has to be done, and return the exit status."""
    status, used = 0, set()
    for vulnerability in found:
        reasons = [explanation for explanation in explained if vulnerability.explained_by(explanation)]
        used.update(reasons)
        if any(explanation.until >= today for explanation in reasons):
            continue
        ended = f"; its explanation ended on {max(item.until for item in reasons)}" if reasons else ""
        _say(f"error: {vulnerability}{ended}")
        status = 1
    if status:
        _say(f"Raise the version, or explain it in {FILE}: docs/supply-chain.md#vulnerabilities")
    for line in missing:
        _say(f"not audited: {line}")
    if missing:
        _say(
            "Not everything was audited, which is no pass. The databases are on no package registry: see above for what failed."
        )
        return 2
    for explanation in explained:
        if explanation not in used:
            _say(f"warning: {FILE}: {explanation.id} of {explanation.package} is not reported any more; remove it")
    if not status:
        print(f"All audited: nothing is known that {FILE} does not explain.")
    return status


def require_data(root: Path, osv_url: str | None) -> None:
    """Ask for a release whose vulnerabilities are known.

    Raises:
        NotAuditedError: the database cannot be reached, or answers without knowing anything, as a proxy may.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text(f"{CANARY} --hash=sha256:{'0' * 64}\n")
        packages = _pip_audit(root, str(file), osv_url)
    if not any(package.get("vulns") for package in packages):
        raise NotAuditedError(f"the database knows nothing about {CANARY}, which has known vulnerabilities")


def audit_python(root: Path, file: str, osv_url: str | None) -> list[Vulnerability]:
    """Return what OSV knows about the packages of a requirements file.

    Raises:
        NotAuditedError: the database gave no answer, or none for one of the packages.
    """
    try:
        packages = _pip_audit(root, file, osv_url)
    except NotAuditedError as error:
        raise NotAuditedError(f"{file}: {error}") from None
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped:
        # pip-audit itself calls this "no known vulnerabilities", and succeeds.
        raise NotAuditedError(f"{file}: the database gave no answer for {', '.join(skipped)}")
    return [
        Vulnerability(
            tuple(dict.fromkeys([vuln["id"], *vuln["aliases"]])),
            package["name"],
            package["version"],
            tuple(vuln["fix_versions"]),
            file,
        )
        for package in packages
        for vuln in package["vulns"]
    ]


def _pip_audit(root: Path, file: str, osv_url: str | None) -> list[dict[str, Any]]:
    """Return pip-audit's answer. It exits with 1 both for vulnerabilities and for trouble: what it prints tells them apart."""
    command = [PIP_AUDIT, "--disable-pip", "--require-hashes", "--vulnerability-service=osv", "--format=json"]
    command += ["--progress-spinner=off", "--aliases=on", "--desc=off", f"--requirement={file}"]
    command += [f"--osv-url={osv_url}"] if osv_url else []
    done = _run(command, root, {})
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        raise NotAuditedError(f"pip-audit: {_last_line(done.stderr)}") from None
    return packages


def audit_go(root: Path, module: str, vulndb_url: str | None) -> list[Vulnerability]:
    """Return what the Go vulnerability database knows about code that the tools of a Go module call.

    Raises:
        NotAuditedError: the database gave no answer.
    """
    file = f"{module}/go.mod"
    environment = {"GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
    command = [str(root / GOVULNCHECK), "-format=json", *([f"-db={vulndb_url}"] if vulndb_url else []), "tool"]
    done = _run(command, root / module, environment)
    messages = list(_messages(done.stdout))
    if done.returncode or not any(message.get("config", {}).get("db_last_modified") for message in messages):
        raise NotAuditedError(f"{file}: {_last_line(done.stderr)}")
    aliases = {item["id"]: item.get("aliases", []) for message in messages if (item := message.get("osv"))}
    findings = [message["finding"] for message in messages if "finding" in message]
    called = {
        (finding["osv"], finding["trace"][0]["module"]): finding
        for finding in findings
        if finding["trace"][0].get("function")
    }
    return [
        Vulnerability(
            (name, *aliases.get(name, [])),
            package,
            finding["trace"][0].get("version", ""),
            tuple(filter(None, [finding.get("fixed_version")])),
            file,
        )
        for (name, package), finding in sorted(called.items())
    ]


def _messages(text: str) -> Iterator[dict[str, Any]]:
    """Return govulncheck's messages: JSON objects, one after the other."""
    decoder, position = json.JSONDecoder(), 0
    while (start := re.compile(r"\s*").match(text, position)) and start.end() < len(text):
        try:
            message, position = decoder.raw_decode(text, start.end())
        except ValueError:
            return
        yield message


def _run(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=1800
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAuditedError(f"{command[0]}: {error}") from error


def _last_line(text: str) -> str:
    """Return the line that says what went wrong: the last one of a traceback or of a log."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("No known")]
    return lines[-1].strip() if lines else "no answer"


def _normal(package: str) -> str:
    """Return a name as indexes compare it (PEP 503), which leaves those of Go modules apart."""
    return package if "/" in package else re.sub(r"[-_.]+", "-", package).lower()


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
