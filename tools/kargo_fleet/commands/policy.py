"""kargo-fleet policy: how many violations each rule has, what another policy would find, and recording those of today."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kargo_fleet.errors import FleetError
from kargo_fleet.files import generated, workers
from kargo_fleet.files.reading import RepositoryReader, read_bytes
from kargo_fleet.files.writing import FileWriter, unwritable
from kargo_fleet.findings import dotted
from kargo_fleet.fleet import policy_section, scan
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.load import load_sound
from kargo_fleet.fleet.names import FLEET_FILE, RECORDED_FILE
from kargo_fleet.fleet.policy_section import POLICY_SCHEMA, cluster_settings
from kargo_fleet.generate.admission_file import admission
from kargo_fleet.policy.ruleset import Policy, policy_of
from kargo_fleet.policy.violations import Standing, Violation
from kargo_fleet.terminal.output import show
from kargo_fleet.terminal.progress import PATIENCE
from kargo_fleet.terminal.reporters import TEXT, Change, Format, Report, Reporter, columns
from kargo_fleet.terminal.tables import table
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.text.words import plural
from kargo_fleet.text.yaml_writer import document
from kargo_fleet.unit.build import Inputs, build

_HEADER = """\
# Violations that were there when their rules began, written by `kargo-fleet policy record`. Only others fail. Remove what is
# corrected, or record again.
"""


def policy(root: Path, *, file: Path | None = None, record: bool = False, reporter: Reporter = TEXT) -> int:
    """Print the violations of the fleet, counted by rule and by group; return 0, or 1 when what was recorded cannot be written.

    With `file`, a YAML file with `policy`, that policy is held to instead of the one of fleet.yaml. With `record`, the open
    violations, and those recorded before that are still there, are written to policy-recorded.yaml. Raises FleetError for an
    invalid fleet.yaml or an invalid policy.
    """
    chart, fleet, _ = load_sound(root)
    if file is not None:
        fleet = replace(fleet, data={**fleet.data, "policy": _candidate(file, fleet)})
    names, _ = scan.services(fleet)
    inputs = Inputs(fleet, chart)
    evaluate = partial(_violations, inputs)
    reading = reporter.bar(workers.ordered(evaluate, names), len(names), "reading", PATIENCE)
    answers = list(reading)
    found = [violation for answer in answers for violation in answer or ()]
    broken = sum(answer is None for answer in answers)
    if record:
        return _record(root, found, reporter)
    rules = _counted(policy_of(fleet.data), fleet, found)
    if names and cluster_settings(fleet.data).enabled:
        held = {one.rule.name: one.held for one in admission(inputs, names).rules()}
        rules = [{**one, "cluster": held[one["rule"]].word, "notInCluster": held[one["rule"]].left} for one in rules]
    left_out = f"; {plural(broken, 'service')} with other errors left out" if broken else ""
    number = sum(one.state is Standing.OPEN for one in found)
    summary = f"{plural(len(names), 'service')}: {plural(number, 'open violation')}{left_out}"
    if reporter.format is Format.JSON:
        reporter.data({"rules": rules})
        return 0
    show("\n".join(_lines(rules)))
    reporter.note(summary)
    return 0


def _violations(inputs: Inputs, service: str) -> tuple[Violation, ...] | None:
    """Return the violations of a service, None when other mistakes keep them from being looked for."""
    unit = build(inputs, service, RepositoryReader(inputs.fleet.root))
    ours = {one.finding for one in unit.violations}
    is_sound = unit.violations or not any(
        finding.severity == "error" and finding not in ours for finding in unit.findings
    )
    return unit.violations if is_sound else None


def _candidate(file: Path, fleet: Fleet) -> dict[str, Any]:
    """Return the policy in a file. Raises FleetError with all that is wrong with it."""
    try:
        data = yaml_reader.parse(read_bytes(file).decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise FleetError(
            f"{file}: cannot be read: {error}\nPass a YAML file with `policy:`, as in {FLEET_FILE}."
        ) from None
    except yaml_reader.YamlError as error:
        raise FleetError(
            f"{error.problem.in_file(str(file)).place}: {error.problem.message}\n{error.problem.fix}"
        ) from None
    given = {key: data.get(key) for key in ("policy",)}
    if not given["policy"]:
        raise FleetError(f"{file}: has no policy\nWrite it under `policy:`, as in {FLEET_FILE}.")
    problems = Schema({"properties": {"policy": POLICY_SCHEMA}}).problems(given)
    problems = problems or list(policy_section.problems({**given, "groups": fleet.data.get("groups")}))
    if problems:
        lines = (f"{file}: {problem.message}; {problem.fix}" for problem in problems)
        raise FleetError("\n".join(lines))
    policy: dict[str, Any] = given["policy"]
    return policy


def _counted(policy: Policy, fleet: Fleet, found: Sequence[Violation]) -> list[dict[str, Any]]:
    return [
        {
            "rule": rule.name,
            "severity": rule.severity,
            "owner": rule.owner,
            **{state.value: sum(one.state is state for one in of_rule) for state in Standing},
            "services": len({one.service for one in of_rule if one.state is Standing.OPEN}),
            "groups": _by_group(fleet, of_rule),
        }
        for rule in policy.rules
        for of_rule in [[one for one in found if one.rule.name == rule.name]]
    ]


def _by_group(fleet: Fleet, found: Iterable[Violation]) -> dict[str, int]:
    """Return the services with open violations by group; one that is in several groups counts in each."""
    services = {one.service for one in found if one.state is Standing.OPEN}
    counted = Counter(group.name for service in services for group in fleet.groups_of(service))
    return dict(sorted(counted.items()))


def _lines(rules: Sequence[dict[str, Any]]) -> list[str]:
    head = ["rule", "severity", "owner", "open", "services", "recorded", "excepted"]
    head += ["cluster"] if rules and "cluster" in rules[0] else []
    rows = [[str(rule[key] or ("" if key == "owner" else 0)) for key in head] for rule in rules]
    lines = table(head, rows, columns(), most=len(rows))
    grouped = [[rule["rule"], group, str(number)] for rule in rules for group, number in rule["groups"].items()]
    if grouped:
        lines += ["", *table(["rule", "group", "services"], grouped, columns(), most=len(grouped))]
    left = [rule for rule in rules if rule.get("notInCluster")]
    if left:
        lines += ["", *(f"not in the cluster: {rule['rule']}: {rule['notInCluster']}" for rule in left)]
    return lines


def _record(root: Path, found: Sequence[Violation], reporter: Reporter) -> int:
    wanted: dict[str, dict[str, dict[str, Any]]] = {}
    for one in sorted(found, key=lambda one: (one.rule.name, one.service, dotted(one.path))):
        if one.state is not Standing.EXCEPTED:
            wanted.setdefault(one.rule.name, {}).setdefault(one.service, {})[dotted(one.path)] = one.value
    text = _HEADER + document(wanted) if wanted else ""
    number = sum(len(keys) for services in wanted.values() for keys in services.values())
    changes = []
    with FileWriter(root) as writer:
        writer.sweep(["."])
        try:
            current = generated.read(root / RECORDED_FILE)
            if not wanted and current is not None:
                writer.remove(RECORDED_FILE)
                changes = [Change("removed", RECORDED_FILE)]
            elif wanted and current != text:
                writer.write(RECORDED_FILE, text, durable=True)
                changes = [Change("created" if current is None else "updated", RECORDED_FILE)]
        except OSError as error:
            reporter.show(Report([unwritable(RECORDED_FILE, error)], [], "nothing recorded"))
            return 1
    reporter.show(Report([], changes, f"{plural(number, 'violation')} recorded"))
    return 0
