"""The parts of a report: one function per picture, empty where a run has nothing for it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from qgnn_lightning.report._chart import (
    NUM_STYLES,
    Frame,
    Line,
    bar_chart,
    line_chart,
    scatter_chart,
)
from qgnn_lightning.report._run_record import Evaluation, Results, RunRecord, Snapshot
from qgnn_lightning.report._table import confusion_table, facts_list, numbers_table

_MOST_SNAPSHOTS = 4
_MOST_CLASSES = 40
_STEP = "propagation step"
_EPOCH = "epoch, counted from 1"
_ACCURACIES = (
    "The three accuracies are those of the network of the best epoch, without dropout. The curve "
    "of the training nodes below is measured while training, with dropout."
)
_WHILE_TRAINING = (
    "Training nodes: in the training passes, with dropout, before each optimizer step. "
    "Validation nodes: after it, without dropout."
)
_BOUNDS = ("measured", "sharp", "a_posteriori", "a_priori")


def comparison(runs: Sequence[RunRecord]) -> str:
    """All runs beside each other.

    Args:
        runs: At least two runs.
    """
    header = ["run", "data", "test", "validation", "bits", "bytes", "than float32", "time"]
    table = numbers_table(header, [_row(run) for run in runs])
    done = [(run.name, run.results) for run in runs if run.results is not None]
    charts = []
    if done:
        points = [(name, found.packed_bytes, 100 * found.accuracy["test"]) for name, found in done]
        frame = Frame("Accuracy against size", "bytes, packed", "test accuracy [%]")
        charts.append(scatter_chart(frame, [(n, float(x), y) for n, x, y in points]))
    lines = [
        Line(run.name, *zip(*_percent(run, "val/accuracy"), strict=True))
        for run in runs
        if run.curves.get("val/accuracy")
    ]
    if lines:
        frame = Frame("Validation accuracy", _EPOCH, "accuracy [%]")
        charts.append(line_chart(frame, lines[:NUM_STYLES]))
    return f"<section><h2>Comparison</h2>{table}{_grid(charts)}</section>"


def _row(run: RunRecord) -> list[str]:
    if run.results is None:
        return [run.name, "", "not finished", *[""] * 5]
    found = run.results
    return [
        run.name,
        found.data["Data"],
        f"{100 * found.accuracy['test']:.1f} %",
        f"{100 * found.accuracy['val']:.1f} %",
        found.bits,
        f"{found.packed_bytes:,}",
        _than_float32(found),
        found.facts["Time"].split(",")[0],
    ]


def _than_float32(found: Results) -> str:
    packed, float32 = max(found.packed_bytes, 1), max(found.float32_bytes, 1)
    return (
        f"{float32 / packed:.1f}x smaller"
        if packed <= float32
        else f"{packed / float32:.1f}x larger"
    )


def run_section(run: RunRecord, anchor: str) -> str:
    """Everything about one run.

    Args:
        run: The run.
        anchor: What links point to.
    """
    charts = [
        *_learning_curves(run),
        _energy(run),
        _error(run),
        _multipliers(run),
        _by_step(
            run,
            "constraint/violation",
            "Constraint",
            "violation",
            note="Energy of the change over the budget, minus 1: negative where it holds.",
        ),
        _by_step(run, "message/scale", "Ranges of the messages", "scale of a code", log=True),
        _by_step(
            run, "message/signal_to_noise_ratio", "Signal to noise of the messages", "decibel"
        ),
        _degrees(run.evaluation),
    ]
    parts = [_facts(run), _grid(charts), _classes_and_ranges(run.evaluation), _background(run)]
    return f'<section id="{anchor}"><h2>{escape(run.name)}</h2>{"".join(parts)}</section>'


def _facts(run: RunRecord) -> str:
    if run.results is None:
        return "<p>This run has not ended: there is no results.json.</p>"
    found = run.results
    tiles = {
        "Test accuracy": f"{100 * found.accuracy['test']:.1f} %",
        "Validation": f"{100 * found.accuracy['val']:.1f} %",
        "Training": f"{100 * found.accuracy['train']:.1f} %",
        found.packed: f"{found.packed_bytes:,} bytes",
        "Than float32": _than_float32(found),
    }
    return (
        f'<div class="tiles">{facts_list(tiles)}</div><p class="unit">{_ACCURACIES}</p>'
        f"{facts_list(found.data)}{facts_list(found.facts)}"
    )


def _learning_curves(run: RunRecord) -> list[str]:
    charts = []
    for measure, title, unit in (
        ("loss", "Loss", "cross-entropy"),
        ("accuracy", "Accuracy", "accuracy [%]"),
    ):
        lines = []
        for split, name in (("train", "training"), ("val", "validation")):
            points = (
                _percent(run, f"{split}/{measure}")
                if measure == "accuracy"
                else (run.curves.get(f"{split}/{measure}", []))
            )
            if points:
                lines.append(Line(name, *zip(*points, strict=True)))
        if lines:
            charts.append(line_chart(Frame(title, _EPOCH, unit, _WHILE_TRAINING), lines))
    return charts


def _percent(run: RunRecord, tag: str) -> list[tuple[int, float]]:
    return [(epoch, 100 * value) for epoch, value in run.curves.get(tag, [])]


def _multipliers(run: RunRecord) -> str:
    found = run.snapshots.get("constraint/multiplier", [])
    if found and all(value == 0 for one in found for value in one.values):
        held = "All are 0: the constraint has held all along."
        return f"<figure><figcaption><h3>Multipliers</h3><p>{held}</p></figcaption></figure>"
    return _by_step(run, "constraint/multiplier", "Multipliers", "multiplier")


def _energy(run: RunRecord) -> str:
    title = "Energy by step"
    note = "How different neighbours are. Where it falls to 0, nodes can no longer be told apart."
    return _by_step(run, "dirichlet_energy/symmetric", title, "Dirichlet energy", note, log=True)


def _error(run: RunRecord) -> str:
    lines = []
    for name in _BOUNDS:
        found = run.snapshots.get(f"quantization_error/{name}")
        if found:
            shown = name if name == "measured" else f"{name.replace('_', ' ')} bound"
            lines.append(_line(shown, found[-1]))
    if len(lines) < 2:
        return ""
    frame = Frame(
        "Error inside its bound",
        _STEP,
        "Frobenius norm of the error",
        "Difference to messages in full precision, after the training.",
    )
    return line_chart(frame, lines, log=True, band=(0, 1))


def _by_step(
    run: RunRecord, tag: str, title: str, unit: str, note: str = "", *, log: bool = False
) -> str:
    snapshots = run.snapshots.get(tag, [])
    if not any(value is not None for one in snapshots for value in one.values):
        return ""
    spaced = max(len(snapshots) - 1, 1) / (_MOST_SNAPSHOTS - 1)
    kept = sorted({round(spaced * index) for index in range(_MOST_SNAPSHOTS)})
    shown = [snapshots[index] for index in kept if index < len(snapshots)]
    lines = [_line(f"after optimizer step {one.optimizer_step}", one) for one in shown]
    return line_chart(Frame(title, _STEP, unit, note), lines, log=log)


def _line(name: str, found: Snapshot) -> Line:
    return Line(name, range(found.first, found.first + len(found.values)), found.values)


def _degrees(found: Evaluation | None) -> str:
    if found is None:
        return ""
    bars = [
        (one.name, 100 * one.correct / one.nodes, f"{one.nodes:,}")
        for one in found.degrees
        if one.nodes
    ]
    note = "The number above a bar is that of its test nodes."
    return bar_chart(Frame("Degree against accuracy", "degree", "test accuracy [%]", note), bars)


def _classes_and_ranges(found: Evaluation | None) -> str:
    if found is None:
        return (
            "<p>No confusion matrix and no accuracy by degree: this run has no evaluation.json, "
            "which <code>qgnn fit</code> writes at its end.</p>"
        )
    rows = [[one.name, str(one.bits), one.scale] for one in found.ranges]
    ranges = numbers_table(["part", "bits", "scale of a code"], rows)
    return (
        f'<div class="tables"><div><h3>Confusion matrix of the test nodes</h3>{_confusion(found)}'
        f"</div><div><h3>Ranges</h3>{ranges}</div></div>"
    )


def _confusion(found: Evaluation) -> str:
    names = found.class_names
    if len(names) <= _MOST_CLASSES:
        return confusion_table(names, found.confusion)
    wrong = sorted(
        (-count, names[true], names[predicted])
        for true, row in enumerate(found.confusion)
        for predicted, count in enumerate(row)
        if count and true != predicted
    )
    rows = [[true, predicted, f"{-count:,}"] for count, true, predicted in wrong[:20]]
    return f"<p>The most frequent confusions of {len(names)} classes.</p>" + numbers_table(
        ["true", "predicted", "nodes"], rows
    )


def _background(run: RunRecord) -> str:
    environment = "" if run.results is None else facts_list(run.results.environment)
    return (
        f"<details><summary>Environment</summary>{environment or '<p>Not recorded.</p>'}</details>"
        f'<details><summary>Configuration</summary><pre tabindex="0">{escape(run.config)}</pre>'
        "</details>"
    )


def _grid(charts: Sequence[str]) -> str:
    return f'<div class="charts">{"".join(charts)}</div>' if any(charts) else ""
