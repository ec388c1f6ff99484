"""A finished benchmark as a bar chart."""

from __future__ import annotations

from pathlib import Path

from qgnn_lightning.bench._record import Benchmark
from qgnn_lightning.bench._report import milliseconds

CHART_SUFFIXES = (".png", ".svg", ".pdf")
_COLOURS = {"fp32": "#7f7f7f", "fake": "#9ecae1", "packed": "#1f77b4"}


def save_chart(benchmark: Benchmark, path: Path) -> None:
    """Draw the speed of every candidate with its spread, relative to the fastest FP32 path.

    Where no FP32 path was measured, the bars are calls per second. Controls, which do a part of
    the work only, are left out.

    Args:
        benchmark: What was measured.
        path: The file; its suffix is one of :data:`CHART_SUFFIXES`.

    Raises:
        ModuleNotFoundError: If matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    outcomes = [one for one in reversed(benchmark.outcomes) if one.candidate.family != "control"]
    fastest = benchmark.fastest_float32
    unit = 1.0 if fastest is None else fastest.timing.median
    speeds = [unit / one.timing.median for one in outcomes]
    below = [unit / one.timing.median - unit / one.timing.slowest for one in outcomes]
    above = [unit / one.timing.fastest - unit / one.timing.median for one in outcomes]
    figure = Figure(figsize=(8, 1.2 + 0.28 * len(outcomes)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(
        [one.candidate.name for one in outcomes],
        speeds,
        xerr=[below, above],
        color=[_COLOURS[one.candidate.family] for one in outcomes],
        ecolor="#444444",
        capsize=2,
    )
    labels = [f"{milliseconds(one.timing.median)} ms" for one in outcomes]
    axes.bar_label(bars, labels, padding=6, fontsize=8)
    axes.margins(x=0.15)
    name = "calls per second" if fastest is None else f"speed relative to {fastest.candidate.name}"
    axes.set_xlabel(f"{name}; label: median time")
    axes.set_title(f"{benchmark.name}: {benchmark.num_nonzeros:,} non-zeros")
    figure.savefig(path, format=path.suffix[1:])
