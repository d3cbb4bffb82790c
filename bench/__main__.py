"""`python -m bench run` measures and writes docs/benchmarks.{json,md} and the plots; `python -m bench report` only rewrites them."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import lanes, plot, programs, report
from bench.layouts import BenchError
from bench.peers import PEERS

DOCS = programs.ROOT / "docs"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure and write the page")
    run.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[100, 1_000, 10_000],
        help="numbers of services (default: 100 1000 10000)",
    )
    run.add_argument("--rounds", type=int, default=3, help="rounds per size (default: 3)")
    run.add_argument("--limit", type=float, default=60, help="seconds; longer runs are extrapolated (default: 60)")
    run.add_argument("--sample", type=int, default=500, help="maximum number of services to compare (default: 500)")
    run.add_argument(
        "--peers", nargs="+", choices=[peer.key for peer in PEERS], default=[], help="run only these peers"
    )
    run.add_argument(
        "--warm-only", action="store_true", help="do not drop the kernel's caches, which slows down other processes"
    )
    run.add_argument("--docs", type=Path, default=DOCS, help="folder of the page (default: docs)")
    again = commands.add_parser("report", help="rewrite the page from benchmarks.json")
    again.add_argument("--docs", type=Path, default=DOCS, help="folder of the page (default: docs)")
    return parser.parse_args(argv)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _measure(arguments: argparse.Namespace) -> report.Report:
    sizes = tuple(sorted(set(arguments.sizes)))
    settings = lanes.Settings(
        sizes, arguments.rounds, arguments.limit, arguments.sample, not arguments.warm_only, tuple(arguments.peers)
    )
    machine, started = report.machine(), time.monotonic()
    programs.HOME.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=programs.HOME, prefix="run."))
    try:
        results = lanes.run(settings, work, _say)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _say(f"measured in {time.monotonic() - started:.0f} s")
    return report.Report(machine, report.versions(), settings, results)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments(argv)
    docs: Path = arguments.docs
    try:
        if arguments.command == "run":
            measured = _measure(arguments)
            docs.mkdir(parents=True, exist_ok=True)
            (docs / "benchmarks.json").write_text(report.to_json(measured))
        # The page and the plots use the rounded numbers of the file, so that `report` writes the same.
        kept = report.from_json((docs / "benchmarks.json").read_text())
        (docs / "benchmarks.md").write_text(report.page(kept))
        plot.write(kept, docs)
    except BenchError as error:
        _say(f"error: {error}")
        return 1
    _say(f"written: {os.path.relpath(docs / 'benchmarks.md')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
