"""What a run remembers must never show: with the cache and without, the same answers, whatever happened to the files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import FLEET, Run, Tree, service, texts
from kargo_fleet.cli.main import main
from kargo_fleet.files import workers
from kargo_fleet.unit import build as unit_build
from kargo_fleet.unit.build import Inputs, Unit
from properties import examples

KARGO = (
    "image: {constraint: ^2.0.0}\n",
    "image: {constraint: ^3.0.0}\n",
    "imge: {}\n",
    "stages: {staging: null}\n",
    "{",
    "warehouse: {interval: 2h}\nrbac: {bindings: {team: {role: admin, groups: [team]}}}\n",
)
TARGET = ("image:\n  tag: 1.0.0\n", "image:\n  tag: 1.0.1\n", "image: {}\n", "")
FLEETS = (
    FLEET,
    f"{FLEET}values: {{warehouse: {{interval: 10m}}}}\n",
    f"# a comment moves what findings point at\n{FLEET}",
    f"{FLEET}groups: {{one: {{services: [a*], values: {{shard: x}}}}}}\n",
    f"{FLEET}groups: {{one: {{services: [a*], values: {{shrd: x}}}}}}\n",
    f"{FLEET}policy: {{rules: {{often: {{keys: [warehouse.interval], maximumDuration: 1h}}}}}}\n",
    f"{FLEET}policy: {{baseline: false}}\n",
)
NAMES = ("api", "app", "web", "zoo")
FILES = ("kargo.yaml", "kargo.yml", "values-dev.yaml", "values-staging.yaml", "values-prod.yaml", "values-staging.yml")

#: The built units, by name, of a run.
Built = Callable[..., list[str]]


@pytest.fixture
def built(run: Run, monkeypatch: pytest.MonkeyPatch) -> Built:
    """`built("check")` runs a command and returns the services that were worked out, not remembered."""
    found: list[str] = []
    build = unit_build.build

    def spy(inputs: Inputs, name: str, *rest: Any) -> Unit:
        found.append(name)
        return build(inputs, name, *rest)

    def call(*arguments: str) -> list[str]:
        found.clear()
        run(*arguments)
        return list(found)

    monkeypatch.setattr("kargo_fleet.generate.evaluate.build", spy)
    return call


@pytest.fixture
def fleet(tree: Tree) -> Path:
    return tree({**service("api"), **service("web", kargo=KARGO[0]), **service("zoo")})


def test_what_is_known_is_not_worked_out_again(fleet: Path, built: Built) -> None:
    assert built("generate") == ["api", "nginx", "web", "zoo"]
    assert built("generate") == []
    assert built("check") == []
    (fleet / "services/web/kargo.yaml").write_text(KARGO[1])
    assert built("check") == ["web"]
    assert built("generate") == ["web"]  # its values file is another one than it should be
    assert built("check") == []


def test_mistakes_are_remembered_with_their_places(fleet: Path, run: Run, built: Built) -> None:
    (fleet / "services/web/kargo.yaml").write_text(KARGO[2])
    (fleet / "services/zoo/values-prod.yaml").write_text("image:\n  tag: 1.0.0 # a comment\n")
    run("generate")
    first = run("check")
    assert built("check") == []
    assert run("check") == first == run("check", "--no-cache")
    assert "services/web/kargo.yaml:1:1" in first.stdout
    assert "KFW401" in first.stdout


def test_what_all_services_share_counts_for_all(fleet: Path, built: Built) -> None:
    built("generate")
    (fleet / "fleet.yaml").write_text(f"{FLEET}# nothing else\n")
    assert built("check") == ["api", "nginx", "web", "zoo"]
    assert built("generate", "--image-repository", "other.example.com") == ["api", "nginx", "web", "zoo"]


def test_another_chart_is_another_cache(fleet: Path, built: Built, run: Run) -> None:
    built("generate")
    values = fleet / "charts" / "kargo-service" / "values.yaml"
    values.write_text(values.read_text().replace("discoveryLimit: 10", "discoveryLimit: 11"))
    assert built("check") == ["api", "nginx", "web", "zoo"]
    assert run("check") == run("check", "--no-cache")


@pytest.mark.usefixtures("fleet")
def test_another_version_of_the_tool_is_another_cache(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    built("generate")
    assert built("check") == []
    monkeypatch.setattr("kargo_fleet.generate.cache.__version__", "0.0.0")
    assert built("check") == ["api", "nginx", "web", "zoo"]


@pytest.mark.usefixtures("fleet")
def test_no_cache_neither_reads_nor_writes(built: Built, cache_home: Path) -> None:
    before = sorted(cache_home.iterdir()) if cache_home.exists() else []
    built("check", "--no-cache")
    assert (sorted(cache_home.iterdir()) if cache_home.exists() else []) == before
    built("check")
    assert built("check", "--no-cache") == ["api", "nginx", "web", "zoo"]


@pytest.mark.usefixtures("fleet")
def test_one_service_by_name_leaves_the_cache_alone(built: Built) -> None:
    built("generate")
    assert built("generate", "web") == ["web"]
    assert built("check") == []


def test_nothing_is_written_into_the_repository(fleet: Path, run: Run) -> None:
    run("check")
    assert not (fleet / "values").exists()
    assert sorted(path.name for path in fleet.iterdir()) == ["charts", "fleet.yaml", "services"]


# --- A cache that is not as it was written ---


def _newest(folder: Path) -> Path:
    return max(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)


@pytest.mark.parametrize("damage", ["", "x", "{}", '{"services": {}}', None, "half", "flip"])
def test_a_damaged_cache_is_as_if_there_were_none(
    fleet: Path, run: Run, built: Built, cache_home: Path, damage: str | None
) -> None:
    (fleet / "services/web/kargo.yaml").write_text(KARGO[2])
    expected = run("check")
    file = _newest(cache_home)
    content = file.read_bytes()
    if damage is None:
        file.unlink()
        file.mkdir()
    elif damage == "half":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        file.write_bytes(content.replace(b"imge", b"imgf"))
    else:
        file.write_text(damage)
    assert built("check") == ["api", "nginx", "web", "zoo"]
    assert run("check") == expected
    if damage is None:
        file.rmdir()


@pytest.mark.usefixtures("fleet")
def test_a_folder_that_cannot_be_made_is_no_problem(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    expected = run("check")
    for home in (tmp_path / "file", tmp_path / "file" / "below", Path("relative")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(home))
        assert run("check") == expected
    assert not Path("relative").exists()


@pytest.mark.usefixtures("fleet")
def test_what_nobody_uses_goes(run: Run, cache_home: Path) -> None:
    cache_home.mkdir(exist_ok=True)
    old = cache_home / "0123.json"
    old.write_text("")
    os.utime(old, (0, 0))
    run("check")
    assert not old.exists()
    assert _newest(cache_home).exists()


# --- Anything that can happen to files ---


def _write(root: Path, name: str, file: str, index: int) -> None:
    folder = root / "services" / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file
    if not path.is_dir():
        path.unlink(missing_ok=True)
        texts = KARGO if file.startswith("kargo") else TARGET
        path.write_text(texts[index % len(texts)])


def _keep_times(root: Path, name: str, file: str, index: int) -> None:
    """As `git checkout` may leave a file: another content of the same length, with the times of the old one."""
    path = root / "services" / name / file
    if path.is_file() and not path.is_symlink():
        times = path.stat()
        path.write_text(path.read_text().swapcase() if index % 2 else path.read_text().replace("1", "7"))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _swap(root: Path, name: str, file: str, index: int) -> None:
    one, other = root / "services" / name / file, root / "services" / NAMES[index % 4] / file
    if one != other and one.exists() and other.exists():
        one.rename(root / "x")
        other.rename(one)
        (root / "x").rename(other)


def _touch(root: Path, name: str, file: str, index: int) -> None:
    path = root / "services" / name / file
    if path.is_file():
        os.utime(path, (index, index))


def _delete(root: Path, name: str, file: str, _: int) -> None:
    path = root / "services" / name / file
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _folder(root: Path, name: str, file: str, _: int) -> None:
    path = root / "services" / name / file
    if not path.exists() and path.parent.is_dir():
        path.unlink(missing_ok=True)
        path.mkdir()


def _link(root: Path, name: str, file: str, index: int) -> None:
    path = root / "services" / name / file
    if path.parent.is_dir() and not path.is_dir():
        path.unlink(missing_ok=True)
        path.symlink_to(f"../{NAMES[index % 4]}/{FILES[index % 6]}")


def _rename(root: Path, name: str, _: str, index: int) -> None:
    one, other = root / "services" / name, root / "services" / NAMES[index % 4]
    if one.exists() and not other.exists():
        one.rename(other)


def _remove(root: Path, name: str, _: str, __: int) -> None:
    shutil.rmtree(root / "services" / name, ignore_errors=True)


def _edit(root: Path, name: str, _: str, index: int) -> None:
    path = root / "values" / f"{name}.yaml"
    if path.is_file():
        path.write_text(path.read_text() + "shard: z\n" if index % 2 else "")


def _lose(root: Path, name: str, _: str, __: int) -> None:
    (root / "values" / f"{name}.yaml").unlink(missing_ok=True)


def _fleet(root: Path, _: str, __: str, index: int) -> None:
    (root / "fleet.yaml").write_text(FLEETS[index % len(FLEETS)])


def _record(root: Path, _: str, __: str, index: int) -> None:
    if index % 3:
        main(["-C", str(root), "policy", "record", "--quiet"])
    else:
        (root / "policy-recorded.yaml").unlink(missing_ok=True)


_HAPPENINGS = (
    _write, _write, _write, _keep_times, _swap, _touch, _delete, _folder, _link, _rename, _remove, _edit, _lose, _fleet, _record,
)  # fmt: skip
_happening = st.tuples(
    st.sampled_from(_HAPPENINGS), st.sampled_from(NAMES), st.sampled_from(FILES), st.integers(0, 1000)
)


def _said(capsys: pytest.CaptureFixture[str], root: Path, *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    status = main(["-C", str(root), *arguments, "--output", "json"])
    return status, capsys.readouterr().out


@pytest.fixture
def anew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """A fleet and a folder for a copy, for every example."""
    made: list[Path] = []

    def build() -> Path:
        folder = tmp_path_factory.mktemp("fleet")
        root = folder / "one"
        root.mkdir()
        (root / "fleet.yaml").write_text(FLEET)
        for name in NAMES[:3]:
            for file in ("values-dev.yaml", "values-staging.yaml", "values-prod.yaml"):
                _write(root, name, file, 0)
        made.append(folder)
        return root

    yield build
    for folder in made:
        shutil.rmtree(folder)


@settings(examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(happenings=st.lists(st.tuples(_happening, st.booleans()), min_size=1, max_size=10))
def test_whatever_happens_the_answers_are_those_of_a_run_without_cache(
    anew: Callable[[], Path], capsys: pytest.CaptureFixture[str], happenings: list[tuple[Any, bool]]
) -> None:
    root = anew()
    _said(capsys, root, "generate")
    for (happen, name, file, index), writes in happenings:
        happen(root, name, file, index)
        assert _said(capsys, root, "check") == _said(capsys, root, "check", "--no-cache")
        if writes:
            copy = root.with_name("copy")
            shutil.copytree(root, copy, symlinks=True)
            said = _said(capsys, copy, "generate", "--no-cache", "--prune")
            assert _said(capsys, root, "generate", "--prune") == said
            assert texts(root) == texts(copy)
            shutil.rmtree(copy)


# --- Several processes ---


def test_several_processes_say_the_same_as_one(fleet: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (fleet / "services/web/kargo.yaml").write_text(KARGO[2])
    (fleet / "services/api/values-dev.yaml").unlink()
    one = run("check", "--no-cache", "--output", "json")
    monkeypatch.setattr(workers, "_ENOUGH", 1)
    monkeypatch.setattr(workers, "_CHUNK", 1)
    monkeypatch.setattr(workers, "processors", lambda: 3)
    assert run("check", "--no-cache", "--output", "json") == one
    assert run("check", "--output", "json") == one
    assert run("check", "--output", "json") == one  # what the processes found out was remembered


def test_a_bug_in_a_worker_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_ENOUGH", 1)
    monkeypatch.setattr(workers, "processors", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        list(workers.ordered(lambda number: 1 // number, [2, 1, 0]))
    assert list(workers.ordered(lambda number: number * 2, [1, 2, 3])) == [2, 4, 6]
