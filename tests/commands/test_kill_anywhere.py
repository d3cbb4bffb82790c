"""Runs that are disturbed anywhere: every file stays whole, what is reported is true, and the next run completes the work.

The quick tests try some calls of each command, those with the mark `torture` all of them, and random moments of large fleets.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import COMMAND, FLEET, Tree, add_chart, service
from kargo_fleet.files import generated
from kargo_fleet.files.generated import State
from killing import (
    KILLED,
    Disturbance,
    Disturbed,
    a_cache_of_its_own,
    changes_between,
    contents,
    disturbed,
    temporaries,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks the process of the tests")

SEED = int(os.environ.get("KARGO_FLEET_TORTURE_SEED", "0"))
ROUNDS = int(os.environ.get("KARGO_FLEET_TORTURE_ROUNDS", "100"))
#: What has failed once: command, disturbance, call.
REGRESSIONS = [("adopt", Disturbance.FAIL, 23)]


def _nothing(root: Path) -> None:
    """Leave a generated fleet as it is."""


def _not_generated(root: Path) -> None:
    shutil.rmtree(root / "values")
    shutil.rmtree(root / "argocd")


def _changed(root: Path) -> None:
    """Change everything: a setting of all, a service that is new, one that is gone, a file that was edited."""
    (root / "fleet.yaml").write_text(FLEET + "values: {shard: eu}\n")
    shutil.rmtree(root / "services/web")
    shutil.copytree(root / "services/api", root / "services/new")
    _edit(root / "values/api.yaml")


def _edited(root: Path) -> None:
    _edit(root / "values/api.yaml")
    _edit(root / "values/nginx.yaml")


def _edit(file: Path) -> None:
    file.write_text(file.read_text() + "commonLabels: {a: b}\n")


def _older_chart(root: Path) -> None:
    shutil.rmtree(root / "charts/kargo-service/templates")


@dataclass(frozen=True)
class Command:
    """A command that writes, what is done to a generated fleet before, and the command that completes it."""

    arguments: Sequence[str]
    prepare: Callable[[Path], None] = _nothing
    then: Sequence[Sequence[str]] = ()


COMMANDS = {
    "generate": Command(["generate"], _not_generated),
    "generate --force --prune": Command(["generate", "--force", "--prune"], _changed),
    "generate --no-cache": Command(["generate", "--no-cache", "--force"], _changed),
    "generate api": Command(["generate", "api", "--force"], _changed),
    "adopt": Command(["adopt", "*"], _edited, [["generate"]]),
    "schema": Command(["schema"]),
    "chart vendor": Command(["chart", "vendor", "--force"], _older_chart),
}


@pytest.fixture
def fleet(tree: Tree, tmp_path: Path) -> Iterator[Callable[[Command], Path]]:
    """`fleet(command)` returns a fleet that the command will change, the same one every time."""
    root = tree({**service("api", kargo="image: {constraint: ^1.0.0}\n"), **service("web"), "charts": None})
    add_chart(root)
    work = tmp_path / "work"
    work.mkdir()
    with a_cache_of_its_own(tmp_path / "cache"):
        assert disturbed(root, ["generate"], None, 0, work).status == 0
        pristine = work / "pristine"
        pristine.mkdir()
        for name in ("fleet.yaml", "services", "values", "argocd", "charts"):
            (root / name).rename(pristine / name)

        def build(command: Command) -> Path:
            shutil.rmtree(work / "fleet", ignore_errors=True)
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)
            shutil.copytree(pristine, work / "fleet")
            command.prepare(work / "fleet")
            return work / "fleet"

        yield build


def _try(fleet: Callable[[Command], Path], name: str, how: Disturbance, choose: Callable[[int], Sequence[int]]) -> None:
    """Disturb a command at the calls that are chosen from all it makes, one after the other."""
    command = COMMANDS[name]
    root = fleet(command)
    before = contents(root)
    whole = disturbed(root, command.arguments, None, 0, root.parent)
    wanted = contents(root)
    assert whole.changes
    for at in choose(whole.calls):
        root = fleet(command)
        result = disturbed(root, command.arguments, how, at, root.parent)
        where = f"{name}, {how.value} at call {at} of {whole.calls}: {result}"
        _are_whole(root, before, wanted, how, result, where)
        for arguments in (command.arguments, *command.then):
            last = disturbed(root, arguments, None, 0, root.parent)
            assert last.status in (whole.status, 2 if name == "adopt" else whole.status), (where, last)
        assert contents(root) == wanted, where
        assert temporaries(root.parent) == [], where


def _are_whole(
    root: Path, before: dict[str, bytes], wanted: dict[str, bytes], how: Disturbance, result: Disturbed, where: str
) -> None:
    left = {path.relative_to(root).as_posix() for path in temporaries(root)}
    after = {path: content for path, content in contents(root).items() if path not in left}
    for path in before.keys() | wanted.keys() | after.keys():
        assert after.get(path) in (before.get(path), wanted.get(path)), (path, where)
    assert "Traceback" not in result.stderr, where
    if how is Disturbance.KILL:
        assert result.status == KILLED, where
        return
    assert not left, where
    if how is Disturbance.INTERRUPT:
        assert result.status == 130, where
        return
    done = {change for change in result.changes if "charts/" not in change[1] or "vendor" in where}
    assert done == changes_between(before, after), where
    assert result.status in (0, 1), where
    assert result.status == 1 or after == wanted, where


QUICK = ("generate", "generate --force --prune", "adopt")
SOME = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS]


@pytest.mark.parametrize("how", Disturbance)
@pytest.mark.parametrize("name", SOME)
def test_some_calls(fleet: Callable[[Command], Path], name: str, how: Disturbance) -> None:
    """The first, the last and one between."""
    _try(fleet, name, how, lambda calls: sorted({0, calls // 2, calls - 1}))


@pytest.mark.torture
@pytest.mark.parametrize("how", Disturbance)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_call(fleet: Callable[[Command], Path], name: str, how: Disturbance) -> None:
    _try(fleet, name, how, range)


@pytest.mark.parametrize(("name", "how", "at"), REGRESSIONS)
def test_what_failed_once(fleet: Callable[[Command], Path], name: str, how: Disturbance, at: int) -> None:
    _try(fleet, name, how, lambda _: [at])


# --- Random moments of a large fleet, with worker processes ---


@pytest.fixture
def large(tree: Tree) -> Path:
    files = {path: text for number in range(600) for path, text in service(f"svc-{number:03}").items()}
    return tree(files)


@pytest.mark.torture
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_random_moments(large: Path, number: signal.Signals) -> None:
    """Also of two runs at once, one of which goes on."""
    chance = random.Random(f"{SEED}-{number}")
    begin = time.monotonic()
    subprocess.run([*COMMAND, "-C", str(large), "generate", "--no-cache"], check=True, capture_output=True)
    longest = 1.2 * (time.monotonic() - begin)
    for round_ in range(ROUNDS):
        shard = f"s{round_}"
        (large / "fleet.yaml").write_text(f"{FLEET}values: {{shard: {shard}}}\n")
        with _run(large) as one, _run(large) as other:
            time.sleep(chance.uniform(0, longest))
            one.send_signal(number)
            one.communicate(timeout=120)
            if chance.random() < 0.5:
                other.send_signal(number)
            other.communicate(timeout=120)
        where = f"seed {SEED}, {number.name}, round {round_}"
        for path in (large / "values").glob("[!.]*"):
            assert generated.state(path.read_text(), None) is State.OUTDATED, (where, path)
        assert _processes_of(large) == [], where
        result = subprocess.run([*COMMAND, "-C", str(large), "generate"], capture_output=True, text=True, check=False)
        assert result.returncode == 0, (where, result)
        texts = [path.read_text() for path in (large / "values").iterdir()]
        assert (len(texts), all(f"shard: {shard}\n" in text for text in texts)) == (601, True), where
        assert temporaries(large) == [], where


def _run(root: Path) -> subprocess.Popen[bytes]:
    command = [*COMMAND, "-C", str(root), "generate", "--no-cache"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _processes_of(root: Path) -> list[int]:
    """Return the processes that work on a fleet, after a moment in which the kernel ends those that are about to."""
    for _ in range(200):
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if str(root).encode() in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
            except OSError:
                continue
        if not found:
            break
        time.sleep(0.01)
    return found
