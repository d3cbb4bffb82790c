"""What is printed: folded findings, diffs, colours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kargo_fleet.findings import Finding, Place
from kargo_fleet.terminal.reporters import Change, Format, Report, Reporter


def stale(name: str) -> Finding:
    file = f"values/{name}.yaml"
    return Finding(Place(file), "KF803", f"{name} was not rendered", f"run `kargo-fleet generate {name}`", name)


def shown(capsys: pytest.CaptureFixture[str], *findings: Finding, output: Format = Format.TEXT) -> list[str]:
    Reporter(output).show(Report(findings, [], ""))
    return capsys.readouterr().out.splitlines()


def test_many_findings_that_differ_in_the_service_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, *(stale(f"svc-{number:04}") for number in range(5000)))
    assert lines == [
        "values/svc-0000.yaml: error KF803: svc-0000 was not rendered (and 4,999 others: svc-0001, svc-0002 and 4,997 more)",
        "    fix: run `kargo-fleet generate svc-0000`",
    ]


@pytest.mark.parametrize("output", [Format.TEXT, Format.GITHUB])
def test_ten_are_many(capsys: pytest.CaptureFixture[str], output: Format) -> None:
    names = [f"svc-{number}" for number in range(10)]
    assert len(shown(capsys, *map(stale, names[:9]), output=output)) == 9 * (2 if output is Format.TEXT else 1)
    assert len(shown(capsys, *map(stale, names), output=output)) == (2 if output is Format.TEXT else 1)


def test_programs_are_told_all(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(shown(capsys, *(stale(f"svc-{number}") for number in range(20)), output=Format.JSON))
    assert text.count('"code": "KF803"') == 20


def own(service: str, line: int = 1) -> Finding:
    file = f"services/{service}/values-dev.yaml"
    return Finding(Place(file, line, 1), "KF402", "key image.tag is missing", "add `tag: <version>`", service)


def test_findings_in_the_files_of_services_are_folded(capsys: pytest.CaptureFixture[str]) -> None:
    """The line may be another one."""
    lines = shown(capsys, *(own(f"s{number}", 1 + number % 2) for number in range(20)))
    assert lines == [
        "services/s0/values-dev.yaml:1:1: error KF402: key image.tag is missing (and 19 others: s1, s2 and 17 more)",
        "    fix: add `tag: <version>`",
    ]


def test_findings_with_one_cause_are_folded(capsys: pytest.CaptureFixture[str]) -> None:
    """Their messages differ in more than the service: a port, a path."""
    found = [
        Finding(
            Place(f"kargo-s{port}"), "KF721", f"dial tcp 10.0.0.1:{port}: timeout", "look", f"s{port}", cause="host"
        )
        for port in range(48)
    ]
    assert shown(capsys, *found) == [
        "kargo-s0: error KF721: dial tcp 10.0.0.1:0: timeout (and 47 others: s1, s2 and 45 more)",
        "    fix: look",
    ]
    assert len(shown(capsys, *(replace(one, cause="") for one in found))) == 2 * 48


def test_a_service_is_counted_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(shown(capsys, *(own("web", line) for line in range(1, 21)))) == 2 * 20
    both = [own(f"s{number}", line) for number in range(10) for line in (1, 9)]
    assert [line for line in shown(capsys, *both) if "KF402" in line] == [
        f"services/s0/values-dev.yaml:{line}:1: error KF402: key image.tag is missing (and 9 others: s1, s2 and 7 more)"
        for line in (1, 9)
    ]


def test_findings_at_lines_of_a_shared_file_stand_for_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [Finding(Place("fleet.yaml", n, 1), "KF101", "imge: unknown key", "", f"s{n}") for n in range(1, 21)]
    assert len(shown(capsys, *findings)) == 20


def test_a_diff_has_colours_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    diff = "--- a\n+++ b\n@@ -1 +1 @@\n-old\x0c\u2028\n+new\n"
    change = Change("updated", "values/a.yaml", diff)
    Reporter().show(Report([], [change], ""))
    assert capsys.readouterr().out == diff
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    Reporter().show(Report([], [change], ""))
    assert capsys.readouterr().out == (
        "\x1b[1m--- a\x1b[0m\n\x1b[1m+++ b\x1b[0m\n\x1b[36m@@ -1 +1 @@\x1b[0m\n"
        "\x1b[31m-old\\x0c\\u2028\x1b[0m\n\x1b[32m+new\x1b[0m\n"
    )
