"""All runs beside each other: a table and two charts."""

from __future__ import annotations

from collections.abc import Sequence

from qgnn_lightning.report._chart import NUM_STYLES, Frame, Line, line_chart, scatter_chart
from qgnn_lightning.report._run_record import RunRecord
from qgnn_lightning.report._sections import EPOCH, chart_grid, percent_curve, size_ratio
from qgnn_lightning.report._table import numbers_table

#: What is looked for comes first: a narrow screen shows the left of the table.
_HEADER = (
    "run", "test accuracy", "codes, scales, biases [bytes]", "beside float32", "bits", "validation",
    "training [s]", "data"
)  # fmt: skip
_NOTE = (
    "Accuracies are those of the network of the best epoch. Bits are those of the quantized "
    "stages, 32 is full precision. Codes, scales and biases are what every network has; the header "
    "and the padding of a packed file come on top, each run below says how many bytes. Beside "
    "float32: against the same weights in full precision."
)


def comparison(runs: Sequence[RunRecord]) -> str:
    """All runs beside each other.

    Args:
        runs: At least two runs.
    """
    table = numbers_table(_HEADER, [_row(run) for run in runs])
    charts = [_accuracy_against_size(runs), _validation_curves(runs)]
    return (
        f'<section><h2>Comparison</h2><div class="compared">{table}</div>'
        f'<p class="unit">{_NOTE}</p>{chart_grid(charts)}</section>'
    )


def _row(run: RunRecord) -> list[str]:
    if run.results is None:
        return [run.name, "not finished", *[""] * (len(_HEADER) - 2)]
    found = run.results
    return [
        run.name,
        f"{100 * found.accuracy['test']:.1f} %",
        f"{found.content_bytes:,}",
        size_ratio(found.content_bytes, found.float32_bytes),
        found.bits,
        f"{100 * found.accuracy['val']:.1f} %",
        f"{found.seconds:.1f}",
        found.data["Data"],
    ]


def _accuracy_against_size(runs: Sequence[RunRecord]) -> str:
    points = [
        (run.name, float(run.results.content_bytes), 100 * run.results.accuracy["test"])
        for run in runs
        if run.results is not None
    ]
    frame = Frame(
        "Accuracy against size",
        "bytes of codes, scales and biases",
        "test accuracy [%]",
        "Runs at the same place surround each other.",
    )
    return scatter_chart(frame, points) if points else ""


def _validation_curves(runs: Sequence[RunRecord]) -> str:
    lines = [
        Line(run.name, *zip(*percent_curve(run, "val/accuracy"), strict=True))
        for run in runs
        if run.curves.get("val/accuracy")
    ]
    frame = Frame("Validation accuracy", EPOCH, "accuracy [%]")
    return line_chart(frame, lines[:NUM_STYLES]) if lines else ""
