"""`make audit`, with stand-ins for pip-audit and govulncheck: what they say, and what each answer means."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from release import audit
from release.errors import ReleaseError
from release.explained import FILE, Explanation, read_explained

TODAY = datetime.date(2026, 11, 26)
KNOWN = audit.Vulnerability(("PYSEC-1", "CVE-1"), "My_Package", "1.0", ("1.1",), "requirements.txt")
REASON = Explanation("CVE-1", "my-package", "only servers are affected", TODAY)

#: What pip-audit prints for the canary, and for a file.
CANARY = {"name": "pyyaml", "version": "5.3", "vulns": [{"id": "PYSEC-0", "fix_versions": ["5.4"], "aliases": []}]}
SAFE = {"name": "rich", "version": "15.0.0", "vulns": []}
BAD = {"name": "rich", "version": "15.0.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["16"], "aliases": ["CVE-1"]}]}
SKIPPED = {"name": "rich", "skip_reason": "Dependency not found on PyPI and could not be audited: rich (15.0.0)"}

CONFIG = {"config": {"db": "file:///db", "db_last_modified": "2026-11-01T00:00:00Z"}}
OSV = {"osv": {"id": "GO-1", "aliases": ["CVE-2"]}}


def _finding(**frame: str) -> dict[str, Any]:
    trace = [{"module": "example.com/m", "version": "v1.0.0", **frame}]
    return {"finding": {"osv": "GO-1", "fixed_version": "v1.1.0", "trace": trace}}


Stub = Callable[..., None]


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    """`stub(path, stdout, …)` writes a program that prints what is given; pip-audit's depends on the file."""
    (tmp_path / "requirements.txt").touch()
    for module in audit.GO_MODULES:
        (tmp_path / module).mkdir(parents=True)

    def write(program: str, answer: str, canary: str | None = None, stderr: str = "", status: int = 0) -> None:
        file = tmp_path / program
        file.parent.mkdir(parents=True, exist_ok=True)
        Path(f"{file}.answer").write_text(answer)
        Path(f"{file}.canary").write_text(answer if canary is None else canary)
        file.write_text(
            f"#!/bin/sh\ncase \"$*\" in *--requirement=/*) cat '{file}.canary' ;; *) cat '{file}.answer' ;; esac\n"
            f"printf '%s\\n' '{stderr}' >&2\nexit {status}\n"
        )
        file.chmod(0o755)

    return write


def _pip_audit(stub: Stub, *packages: dict[str, Any], canary: tuple[dict[str, Any], ...] = (CANARY,)) -> None:
    """It succeeds when it skips a package, and fails when it knows of a vulnerability."""
    status = 1 if any(package.get("vulns") for package in packages) else 0
    stub(
        audit.PIP_AUDIT,
        json.dumps({"dependencies": packages, "fixes": []}),
        json.dumps({"dependencies": canary, "fixes": []}),
        status=status,
    )


def _govulncheck(stub: Stub, *messages: dict[str, Any], **options: Any) -> None:
    stub(audit.GOVULNCHECK, "\n".join(json.dumps(message, indent=1) for message in messages), **options)


def test_nothing_known(stub: Stub, tmp_path: Path) -> None:
    _pip_audit(stub, SAFE)
    _govulncheck(stub, CONFIG, OSV, _finding(), _finding(package="example.com/m/p"))  # required, imported; never called
    assert audit.look_up(tmp_path, None, None) == ([], [])


def test_what_is_known(stub: Stub, tmp_path: Path) -> None:
    _pip_audit(stub, SAFE, BAD)
    _govulncheck(stub, CONFIG, OSV, _finding(), _finding(package="example.com/m/p", function="F"))
    found, missing = audit.look_up(tmp_path, None, None)
    assert missing == []
    assert [str(vulnerability) for vulnerability in found] == [
        "requirements.txt: PYSEC-1 (CVE-1) in rich 15.0.0: fixed in 16",
        "tools/cli/go.mod: GO-1 (CVE-2) in example.com/m v1.0.0: fixed in v1.1.0",
        "tools/audit/go.mod: GO-1 (CVE-2) in example.com/m v1.0.0: fixed in v1.1.0",
    ]


def test_a_package_that_pip_audit_skips_is_not_audited(stub: Stub, tmp_path: Path) -> None:
    """Pip-audit says "No known vulnerabilities found" and succeeds: so it does behind a mirror of the index."""
    _pip_audit(stub, SKIPPED)
    with pytest.raises(audit.NotAuditedError, match=r"requirements\.txt: the database gave no answer for rich"):
        audit.audit_python(tmp_path, "requirements.txt", None)


def test_a_database_without_data_is_no_pass(stub: Stub, tmp_path: Path) -> None:
    _pip_audit(stub, SAFE, canary=({"name": "pyyaml", "version": "5.3", "vulns": []},))
    _govulncheck(stub, {"config": {"db": "file:///db"}})
    found, missing = audit.look_up(tmp_path, None, None)
    assert found == []
    assert missing == [
        "requirements.txt: the database knows nothing about pyyaml==5.3, which has known vulnerabilities",
        "tools/cli/go.mod: no answer",
        "tools/audit/go.mod: no answer",
    ]


def test_databases_that_cannot_be_reached_are_no_pass(
    stub: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trouble = "Traceback:\nrequests.exceptions.ConnectionError: no such host\nNo known vulnerabilities found"
    stub(audit.PIP_AUDIT, "", stderr=trouble, status=1)
    _govulncheck(stub, {"config": {}}, stderr="govulncheck: fetching vulnerabilities: no such host", status=1)
    assert audit.report(*audit.look_up(tmp_path, None, None), [], TODAY) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "not audited: requirements.txt: pip-audit: requests.exceptions.ConnectionError: no such host",
        "not audited: tools/cli/go.mod: govulncheck: fetching vulnerabilities: no such host",
        "not audited: tools/audit/go.mod: govulncheck: fetching vulnerabilities: no such host",
        "Not everything was audited, which is no pass. The databases are on no package registry: see above for what failed.",
    ]


def test_a_program_that_is_missing_is_no_pass(stub: Stub, tmp_path: Path) -> None:
    del stub
    _, missing = audit.look_up(tmp_path, None, None)
    assert len(missing) == 3
    assert all("No such file or directory" in line for line in missing)


@pytest.mark.parametrize(
    ("explained", "status", "message"),
    [
        ([], 1, "error: requirements.txt: PYSEC-1 (CVE-1) in My_Package 1.0: fixed in 1.1\n"),
        ([REASON], 0, ""),
        ([Explanation("CVE-1", "other", "reason", TODAY)], 1, "fixed in 1.1\n"),
        (
            [Explanation("CVE-1", "my-package", "reason", datetime.date(2026, 11, 25))],
            1,
            "fixed in 1.1; its explanation ended on 2026-11-25\n",
        ),
    ],
)
def test_what_is_explained(
    explained: list[Explanation], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.report([KNOWN], [], explained, TODAY) == status
    assert message in capsys.readouterr().err


def test_an_explanation_that_nothing_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.report([], [], [REASON], TODAY) == 0
    assert capsys.readouterr().err == f"warning: {FILE}: CVE-1 of my-package is not reported any more; remove it\n"
    # What was not looked up may still be needed.
    assert audit.report([], ["requirements.txt: no answer"], [REASON], TODAY) == 2
    assert "remove it" not in capsys.readouterr().err


ENTRY = '[[explained]]\nid = "CVE-1"\npackage = "p"\nreason = "r"\nuntil = 2027-03-31\n'


def test_explanations_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(ENTRY)
    assert read_explained(tmp_path / "a.toml") == [Explanation("CVE-1", "p", "r", datetime.date(2027, 3, 31))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY.replace('reason = "r"\n', ""), "entry 1: the keys id, package, reason, until are required"),
        (ENTRY + "more = 1\n", "no others are allowed"),
        (ENTRY.replace('"r"', '""'), "entry 1: reason must be a string"),
        (ENTRY.replace("2027-03-31", '"2027-03-31"'), "until must be a date, such as 2027-03-31, without quotes"),
        (ENTRY.replace("2027-03-31", "2027-03-31T00:00:00Z"), "until must be a date"),
        ("[[explaned]]\n", r"only \[\[explained\]\] is allowed"),
        ("explained = 1\n", r"only \[\[explained\]\] is allowed"),
        ("a\n", "explained.toml: "),
    ],
)
def test_an_explanation_that_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ReleaseError, match=message):
        read_explained(tmp_path / "a.toml")
