"""Files and verdicts of the projects that this product builds on, at pinned versions.

`tests/upstream/go.mod` says which version of which Go module, `go.sum` which bytes. A module is fetched by Go, from
its cache or through the module proxy, checked by Go against `go.sum`, and read where it lies: there is no copy of
anything in this repository.

`tests/upstream/kargo-*` pin further versions of Kargo, for the variable KARGO_FLEET_TEST_KARGO.

`tests/upstream/oracle` is a small Go program around Kargo's own packages; `ask` puts questions to it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from builds import one_at_a_time

ROOT: Final = Path(__file__).resolve().parents[2]
UPSTREAM: Final = ROOT / "tests" / "upstream"
#: Another version of Kargo than the one of tests/upstream/go.mod, such as 1.11.4: `make test` runs both.
OTHER: Final = os.environ.get("KARGO_FLEET_TEST_KARGO", "")
PINS: Final = UPSTREAM / f"kargo-{OTHER}" if OTHER else UPSTREAM
ORACLE_SOURCE: Final = UPSTREAM / "oracle"
ORACLE_MODULE: Final = PINS / "oracle.mod" if OTHER else ORACLE_SOURCE / "go.mod"

KARGO: Final = "github.com/akuity/kargo"
ARGO_CD: Final = "github.com/argoproj/argo-cd/v3"
ARGO_ROLLOUTS: Final = "github.com/argoproj/argo-rollouts"
KUBECTL: Final = "k8s.io/kubectl"

Answer = dict[str, Any]


class UpstreamError(RuntimeError):
    """An upstream file or verdict cannot be had, or is not what was pinned."""


def _go(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Go in `cwd`, without the settings of the caller that could lead it elsewhere."""
    go = shutil.which("go")
    if go is None:
        raise UpstreamError("go is not on PATH: it fetches Kargo's schemas (`make test` brings its own)")
    environment = os.environ | {"GOWORK": "off", "GOFLAGS": "-buildvcs=false"}
    return subprocess.run(
        [go, *arguments],
        cwd=cwd,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def pinned(path: str, pins: Path = PINS) -> tuple[str, str]:
    """The version of the Go module `path` in `go.mod` and the hash of its bytes in `go.sum`."""
    required = rf"^\s*(?:require\s+)?{re.escape(path)}\s+(v\S+)"
    version = re.search(required, (pins / "go.mod").read_text(), re.MULTILINE)
    if version is None:
        raise UpstreamError(f"{pins / 'go.mod'} does not require {path}")
    sums = (pins / "go.sum").read_text()
    lines = [f"{path} {version[1]}", f"{path} {version[1]}/go.mod"]
    found = [re.search(rf"^{re.escape(line)} (h1:\S+)$", sums, re.MULTILINE) for line in lines]
    if found[0] is None or found[1] is None:
        # Go itself would add the missing line and go on.
        raise UpstreamError(f"{pins / 'go.sum'} has no hash for {path} {version[1]}")
    return version[1], found[0][1]


@cache
def module(path: str, pins: Path = PINS) -> Path:
    """The folder of the Go module `path` at the version and with the bytes that `pins` pins."""
    version, expected = pinned(path, pins)
    result = _go("mod", "download", "-json", path, cwd=pins)
    answer: Answer = json.loads(result.stdout) if result.stdout.startswith("{") else {}
    if result.returncode or "Error" in answer:
        raise UpstreamError(f"go mod download {path}: {answer.get('Error') or result.stderr.strip()}")
    if (answer["Version"], answer["Sum"]) != (version, expected):
        raise UpstreamError(f"{path}: got {answer['Version']} {answer['Sum']}, pinned is {version} {expected}")
    return Path(answer["Dir"])


@cache
def oracle() -> Path:
    """The oracle's binary, built once for each state of its sources, in an ignored folder."""
    digest = hashlib.sha256()
    for file in (ORACLE_MODULE, ORACLE_MODULE.with_suffix(".sum"), *sorted(ORACLE_SOURCE.glob("*.go"))):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    folder = ROOT / ".tools" / (f"oracle-{OTHER}" if OTHER else "oracle")
    binary = folder / digest.hexdigest()[:16]
    with one_at_a_time(folder):
        if not binary.exists():
            _build_oracle(binary)
    return binary


def _build_oracle(binary: Path) -> None:
    with tempfile.TemporaryDirectory(dir=binary.parent) as scratch:
        built = Path(scratch) / "oracle"
        # As the tools are built (tools/bootstrap): what they have in common is compiled once.
        flags = ("-mod=readonly", f"-modfile={ORACLE_MODULE}", "-trimpath", "-ldflags=-s -w")
        result = _go("build", *flags, "-o", str(built), ".", cwd=ORACLE_SOURCE)
        if result.returncode:
            raise UpstreamError(f"the oracle does not build:\n{result.stderr.strip()}")
        built.replace(binary)
    for old in binary.parent.glob("[!.]*"):
        if old.is_file() and old != binary:
            old.unlink(missing_ok=True)


_answers: dict[tuple[str, str], Answer] = {}


def ask(command: str, questions: Sequence[Any]) -> list[Answer]:
    """Put questions to the oracle. An answer is a map, with the key `error` when Kargo's code returned one.

    The commands and what they take are described in `tests/upstream/oracle/*.go`. The same question has the same
    answer, so it is asked only once in a process; questions that come together cost one start of the program.
    """
    keys = [(command, json.dumps(question, sort_keys=True)) for question in questions]
    if open_ := list(dict.fromkeys(key for key in keys if key not in _answers)):
        result = subprocess.run(
            [oracle(), command],
            input="[" + ",".join(question for _, question in open_) + "]",
            text=True,
            capture_output=True,
            check=False,
        )
        if result.returncode:
            raise UpstreamError(result.stderr.strip())
        _answers.update(zip(open_, json.loads(result.stdout), strict=True))
    return [_answers[key] for key in keys]


def ask_one(command: str, question: Any) -> Answer:
    """`ask`, for one question."""
    return ask(command, [question])[0]
