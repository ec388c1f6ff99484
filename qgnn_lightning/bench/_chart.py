"""A finished benchmark as a bar chart."""

from __future__ import annotations

from pathlib import Path

from qgnn_lightning.bench._record import Benchmark

CHART_SUFFIXES = (".png", ".svg", ".pdf")
_COLOURS = {"fp32": "#7f7f7f", "control": "#bcbd22", "fake": "#9ecae1", "packed": "#1f77b4"}


def save_chart(benchmark: Benchmark, path: Path) -> None:
    """Draw the median time of every candidate, with its spread.

    Args:
        benchmark: What was measured.
        path: The file; its suffix is one of :data:`CHART_SUFFIXES`.

    Raises:
        ModuleNotFoundError: If matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    outcomes = list(reversed(benchmark.outcomes))
    medians = [1e3 * one.timing.median for one in outcomes]
    below = [1e3 * (one.timing.median - one.timing.fastest) for one in outcomes]
    above = [1e3 * (one.timing.slowest - one.timing.median) for one in outcomes]
    figure = Figure(figsize=(8, 1.2 + 0.28 * len(outcomes)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(
        [one.candidate.name for one in outcomes],
        medians,
        xerr=[below, above],
        color=[_COLOURS[one.candidate.family] for one in outcomes],
        ecolor="#444444",
        capsize=2,
    )
    ratios = [benchmark.ratio(one) for one in outcomes]
    labels = ["" if ratio is None else f"{ratio:.1f}x" for ratio in ratios]
    axes.bar_label(bars, labels, padding=6, fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel("median time in ms (log scale); label: speed relative to the fastest FP32")
    axes.set_title(f"{benchmark.name}: {benchmark.num_nonzeros:,} non-zeros")
    figure.savefig(path, format=path.suffix[1:])
