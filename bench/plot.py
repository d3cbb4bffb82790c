"""The plots of the page: time over the number of services, both on log axes, as SVG for light and dark backgrounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.lanes import OURS, SCAN, TASKS
from bench.report import TITLES, Report, seconds

_GREY = "#7d8590"
_OURS = "#e5484d"
_COLOURS = ("#3b82f6", "#10a37f", "#d97706", "#a855f7", "#0ea5b7", "#84a10f", "#ec4899", "#8d7b68")


@dataclass(frozen=True)
class Line:
    """A line of a plot: measured times, and times that were extrapolated or stopped.

    `mark` precedes the last of the latter.
    """

    title: str
    is_ours: bool
    measured: dict[int, float]
    extrapolated: dict[int, float]
    mark: str = ""

    @property
    def last(self) -> tuple[int, float]:
        size = max(self.measured | self.extrapolated)
        return size, (self.measured | self.extrapolated)[size]


def rendering_lines(report: Report) -> list[Line]:
    """Return a line for each contestant of the rendering lane."""
    lines = []
    for key in report.contestants:
        known = {size: found for size in report.sizes if (found := report.time(key, size))}
        measured = {size: time.value for size, time in known.items() if not time.mark}
        others = {size: time.value for size, time in known.items() if time.mark}
        mark = known[max(others)].mark if others else ""
        lines.append(Line(TITLES[key], key == OURS, measured, others, mark))
    return lines


def scan_lines(report: Report) -> list[Line]:
    """Return a line for each task of the scan lane."""
    found = {key: report.results.times(SCAN, key) for key in TASKS}
    return [Line(TASKS[key], False, times, {}) for key, times in found.items() if times]


def draw(lines: Sequence[Line], sizes: Sequence[int], file: Path) -> None:
    """Draw lines, each labelled at its end."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update(
        {
            "svg.hashsalt": "kargo-fleet",  # the same bytes for the same numbers
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
            "font.size": 10,
            **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _GREY),
        }
    )
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    axes: Any
    figure, axes = pyplot.subplots(figsize=(10, 5.5))
    axes.set(xscale="log", yscale="log", xlabel="services", ylabel="time")
    colours = iter(_COLOURS)
    ends = []
    for line in lines:
        colour = _OURS if line.is_ours else next(colours)
        width = 3 if line.is_ours else 1.6
        points = sorted(line.measured.items())
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=width, marker="o", markersize=5)
        if line.extrapolated:
            more = [points[-1], *sorted(line.extrapolated.items())]
            axes.plot(*zip(*more, strict=True), color=colour, linewidth=width, linestyle="--")
            hollow = {"color": colour, "markerfacecolor": "none", "marker": "o", "markersize": 6, "linestyle": "none"}
            axes.plot(*zip(*more[1:], strict=True), **hollow)
        ends.append((line, colour))
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value) if value >= 0.01 else f"{value:g} s"))
    low, high = axes.get_ylim()
    if high < low * 100:  # less than two powers of ten need more ticks
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=_GREY, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if len(sizes) == 1:
        axes.set_xlim(sizes[0] / 2, sizes[0] * 2)
    _name(axes, ends)
    figure.subplots_adjust(left=0.08, right=0.62, top=0.97, bottom=0.1)
    figure.savefig(file, transparent=True, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    file.write_text("\n".join(line.rstrip() for line in file.read_text().splitlines()) + "\n")


def _name(axes: Any, ends: Sequence[tuple[Line, str]]) -> None:
    """Write the title of each line beside its end, without overlaps: at least a step apart, in the order of the ends."""
    low, high = axes.get_ylim()
    step = 0.055

    def height(value: float) -> float:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))

    places = sorted(((height(line.last[1]), line, colour) for line, colour in ends), key=lambda place: place[0])
    heights = [place[0] for place in places]
    for index in range(1, len(heights)):
        heights[index] = max(heights[index], heights[index - 1] + step)
    over = max(0.0, heights[-1] - 1.0) if heights else 0.0
    for index in range(len(heights) - 1, -1, -1):
        most = 1.0 if index == len(heights) - 1 else heights[index + 1] - step
        heights[index] = min(heights[index], most) if over else heights[index]
    for wanted, (_, line, colour) in zip(heights, places, strict=True):
        mark = line.mark if line.last[0] in line.extrapolated else ""
        weight = "bold" if line.is_ours else "normal"
        axes.annotate(
            f"{line.title}  {mark}{seconds(line.last[1])}",
            xy=line.last,
            xytext=(1.02, wanted),
            textcoords="axes fraction",
            color=colour,
            fontweight=weight,
            va="center",
            annotation_clip=False,
        )


def write(report: Report, docs: Path) -> None:
    """Write both plots."""
    if lines := rendering_lines(report):
        draw(lines, report.sizes, docs / "benchmarks-rendering.svg")
    if lines := scan_lines(report):
        draw(lines, report.sizes, docs / "benchmarks-scan.svg")
