"""The parts of a report: one function per picture, empty where a run has nothing for it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from qgnn_lightning.report._chart import (
    Frame,
    Line,
    bar_chart,
    line_chart,
)
from qgnn_lightning.report._run_record import Evaluation, Results, RunRecord, Series
from qgnn_lightning.report._table import confusion_table, facts_list, numbers_table

_MOST_SNAPSHOTS = 4
_MOST_CLASSES = 40
_STEP = "propagation step"
EPOCH = "epoch, counted from 1"
_WHILE_TRAINING = (
    "Training nodes: in the training passes, with dropout, before each optimizer step. "
    "Validation nodes: after it, without dropout."
)
_LAST = "the last measurement"
_ERROR, _MEASURED = "quantization_error/", "quantization_error/measured"
_BOUNDS = ("measured", "sharp", "a_posteriori", "a_priori")


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
        *_constraint(run),
        _by_step(run, "message/scale", "Ranges of the messages", "scale of a code", log=True),
        _by_step(
            run, "message/signal_to_noise_ratio", "Signal to noise of the messages", "decibel"
        ),
        _degrees(run),
    ]
    parts = [_facts(run), chart_grid(charts), _classes_and_ranges(run.evaluation), _background(run)]
    return f'<section id="{anchor}"><h2>{escape(run.name)}</h2>{"".join(parts)}</section>'


def _facts(run: RunRecord) -> str:
    if run.results is None:
        return "<p>This run has not ended: there is no results.json.</p>"
    found = run.results
    tested = (
        f"The three accuracies, like the confusion matrix, are those of the network of "
        f"{_best(found)}, without dropout. The curve of the training nodes below is measured while "
        "training, with dropout."
    )
    tiles = {
        "Test accuracy": f"{100 * found.accuracy['test']:.1f} %",
        "Validation": f"{100 * found.accuracy['val']:.1f} %",
        "Training": f"{100 * found.accuracy['train']:.1f} %",
        "Codes, scales, biases": f"{found.content_bytes:,} bytes",
        "Beside float32": size_ratio(found.content_bytes, found.float32_bytes),
    }
    return (
        f'<div class="tiles">{facts_list(tiles)}</div><p class="unit">{tested}</p>'
        f"{facts_list(found.data)}{facts_list(found.facts)}"
    )


def size_ratio(size: int, float32: int) -> str:
    """How much smaller or larger something is than the weights and biases in full precision.

    Args:
        size: Its bytes.
        float32: Those of the weights and biases.
    """
    size, float32 = max(size, 1), max(float32, 1)
    if size == float32:
        return "no smaller"
    return f"{float32 / size:.1f}x smaller" if size < float32 else f"{size / float32:.1f}x larger"


def _learning_curves(run: RunRecord) -> list[str]:
    charts = []
    for measure, title, unit in (
        ("loss", "Loss", "cross-entropy"),
        ("accuracy", "Accuracy", "accuracy [%]"),
    ):
        lines = []
        for split, name in (("train", "training"), ("val", "validation")):
            points = (
                percent_curve(run, f"{split}/{measure}")
                if measure == "accuracy"
                else (run.curves.get(f"{split}/{measure}", []))
            )
            if points:
                lines.append(Line(name, *zip(*points, strict=True)))
        if lines:
            charts.append(line_chart(Frame(title, EPOCH, unit, _WHILE_TRAINING), lines))
    return charts


def percent_curve(run: RunRecord, tag: str) -> list[tuple[int, float]]:
    """A curve of shares, in percent by epoch.

    Args:
        run: The run.
        tag: The curve.
    """
    return [(epoch, 100 * value) for epoch, value in run.curves.get(tag, [])]


def _constraint(run: RunRecord) -> list[str]:
    """Multipliers and violation; multipliers that are all 0 are a sentence beside the latter."""
    note = "Energy of the change over the budget, minus 1: negative where it holds."
    multipliers = _by_step(run, "constraint/multiplier", "Multipliers", "multiplier")
    found = run.snapshots.get("constraint/multiplier", [])
    if found and all(value == 0 for one in found for value in one.values):
        multipliers = ""
        note += " All multipliers are 0: it has held all along."
    violation = _by_step(run, "constraint/violation", "Constraint", "violation", note)
    return [multipliers, violation]


def _energy(run: RunRecord) -> str:
    title = "Energy by step"
    note = "How different neighbours are. Where it falls to 0, nodes can no longer be told apart."
    return _by_step(run, "dirichlet_energy/symmetric", title, "Dirichlet energy", note, log=True)


def _error(run: RunRecord) -> str:
    """In the tested network; where the run did not note it, in the one that was observed last."""
    tested = {} if run.results is None else run.results.series
    when = _best(run.results) if run.results and _MEASURED in tested else _LAST
    lines = []
    for name in _BOUNDS:
        observed = run.snapshots.get(f"{_ERROR}{name}", [])
        found = tested.get(f"{_ERROR}{name}", observed[-1] if observed else None)
        if found is not None:
            shown = name if name == "measured" else f"{name.replace('_', ' ')} bound"
            lines.append(_line(shown, found))
    if len(lines) < 2:
        return ""
    note = f"Difference to messages in full precision. Network of {when}."
    frame = Frame("Error inside its bound", _STEP, "Frobenius norm of the error", note)
    return line_chart(frame, lines, log=True, band=(0, 1))


def _best(found: Results) -> str:
    return f"the best epoch, {found.best_epoch} of {found.epochs}"


def _by_step(
    run: RunRecord, tag: str, title: str, unit: str, note: str = "", *, log: bool = False
) -> str:
    snapshots = run.snapshots.get(tag, [])
    if not any(value is not None for one in snapshots for value in one.values):
        return ""
    spaced = max(len(snapshots) - 1, 1) / (_MOST_SNAPSHOTS - 1)
    kept = sorted({round(spaced * index) for index in range(_MOST_SNAPSHOTS)})
    shown = [snapshots[index] for index in kept if index < len(snapshots)]
    lines = [_line(f"after optimizer step {one.optimizer_step}", one) for one in shown[:-1]]
    lines.append(_line(f"after optimizer step {shown[-1].optimizer_step}, the last", shown[-1]))
    return line_chart(Frame(title, _STEP, unit, note), lines, log=log)


def _line(name: str, found: Series) -> Line:
    return Line(name, range(found.first, found.first + len(found.values)), found.values)


def _degrees(run: RunRecord) -> str:
    found = run.evaluation
    if found is None:
        return ""
    bars = [
        (one.name, 100 * one.correct / one.nodes, f"{one.nodes:,}")
        for one in found.degrees
        if one.nodes
    ]
    when = "" if run.results is None else f" Network of {_best(run.results)}."
    note = f"The number above a bar is that of its test nodes.{when}"
    return bar_chart(Frame("Degree against accuracy", "degree", "test accuracy [%]", note), bars)


def _classes_and_ranges(found: Evaluation | None) -> str:
    if found is None:
        return (
            "<p>No confusion matrix and no accuracy by degree: this run has no evaluation.json, "
            "which <code>qgnn fit</code> writes at its end.</p>"
        )
    tables = [f"<h3>Confusion matrix of the test nodes</h3>{_confusion(found)}"]
    if found.ranges:  # full precision has none
        rows = [[one.name, str(one.bits), one.scale] for one in found.ranges]
        ranges = numbers_table(["part", "bits", "scale of a code"], rows)
        tables.append(f"<h3>Ranges</h3>{ranges}")
    return f'<div class="tables">{"".join(f"<div>{one}</div>" for one in tables)}</div>'


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


def chart_grid(charts: Sequence[str]) -> str:
    """Charts beside each other, as many as there is room for; nothing without one."""
    return f'<div class="charts">{"".join(charts)}</div>' if any(charts) else ""
