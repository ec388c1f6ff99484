"""What is printed before and after a run."""

from __future__ import annotations

from typing import Any

from qgnn_lightning.report import size_ratio
from qgnn_lightning.run import TrainingPlan, Trial, metric_text


def _describe_network(summary: dict[str, Any]) -> str:
    """Bits, messages and size in one line."""
    bits = {stage: number for stage, number in summary["bits"].items() if number < 32}
    parameters, steps = f"{summary['num_parameters']:,} parameters", f"{summary['num_steps']} steps"
    if not bits:
        return f"{parameters}; full precision, float32; {steps}"
    stages = ", ".join(f"{stage} {number}" for stage, number in bits.items())
    messages = summary["messages"].replace("_", "-")
    return f"{parameters}; bits: {stages}; {steps} with {messages} messages"


def results_table(results: dict[str, Any]) -> str:
    """Results, one fact per line.

    Args:
        results: What goes into ``results.json``.
    """
    accuracy = results["accuracy"]
    percent = {split: f"{100 * value:.1f} %" for split, value in accuracy.items()}
    rows = {
        "test accuracy": f"{percent['test']} after epoch {results['best_epoch'] + 1} of "
        f"{results['epochs']}, the best on the validation nodes",
        "validation": percent["val"],
        "training": percent["train"],
        "network": _describe_network(results),
        "size": _size(results, results["size_bytes"]["file"]),
        "time": f"{results['seconds']['fit']:.1f} s to train, "
        f"{results['seconds']['total']:.1f} s with starting and testing",
    }
    return "\n".join(f"{name:<15}{value}" for name, value in rows.items())


def _size(summary: dict[str, Any], file: int | None, besides: str = "") -> str:
    """Bytes as a packed file; where there is no such form, of codes, or of plain weights."""
    packed, float32 = summary["size_bytes"]["packed"], summary["size_bytes"]["float32"]
    if all(number == 32 for number in summary["bits"].values()):
        return f"{float32:,} bytes of weights and biases, in float32"
    if file is None:
        return content_size(packed, float32)
    return f"{file:,} bytes as a packed file{besides}: {content_size(packed, float32)}"


def content_size(size: int, float32: int) -> str:
    """How large a network is without the header of a file, beside its weights in full precision.

    Args:
        size: Bytes of codes, scales and biases.
        float32: Bytes of the weights and biases in full precision.
    """
    ratio = size_ratio(size, float32)
    return f"{size:,} bytes of codes, scales and biases, {ratio} than float32 ({float32:,})"


def plan_table(plan: TrainingPlan, epochs: int | None, trial: Trial, place: str) -> str:
    """What a training would do, one fact per line.

    Args:
        plan: Its sizes.
        epochs: How many there will be; ``None`` or -1 is without end.
        trial: The epochs that were tried.
        place: The directory of the run.
    """
    endless = epochs is None or epochs < 0
    seconds = trial.epoch_seconds
    total = "" if endless else f"about {_duration(seconds * (epochs or 0))} in all, "
    limit = "no limit of" if endless else f"{epochs:,}"
    steps = f", optimizer steps in each: {trial.num_steps:,}" if trial.num_steps else ""
    tried = "1 epoch" if trial.num_epochs == 1 else f"{trial.num_epochs} epochs"
    time = f"{total}{_duration(seconds)} per epoch: {tried} tried, without checkpoints"
    rows = {
        "graph": f"{plan.num_nodes:,} nodes, {plan.num_edges:,} entries of the adjacency",
        "network": _describe_network(plan.summary),
        "size": _size(plan.summary, plan.file_bytes, " (more where multipliers act)"),
        "training": f"{limit} epochs{steps}",
        "time": time if trial.num_epochs else "not tried: there is one device to be tried on only",
        "states": f"{mebibytes(plan.state_bytes)}: weights, buffers, gradients, optimizer",
        "activations": f"{mebibytes(plan.activation_bytes)} kept for the gradients",
        "peak memory": f"{mebibytes(plan.peak_bytes)} of tensors, the graph included (estimated)",
        "run directory": place,
    }
    lines = [f"{name:<15}{value}" for name, value in rows.items()]
    return "\n".join([*lines, "dry run: nothing was kept or written"])


def mebibytes(size: int) -> str:
    """A size in MiB."""
    return f"{size / 2**20:,.1f} MiB"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def metrics_table(metrics: dict[str, float]) -> str:
    """Metrics, one per line.

    Args:
        metrics: Value by name.
    """
    return "\n".join(f"{name:<15}{metric_text(name, value)}" for name, value in metrics.items())
