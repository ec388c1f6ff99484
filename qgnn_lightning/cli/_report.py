"""What is printed before and after a run."""

from __future__ import annotations

from typing import Any

from qgnn_lightning.run import TrainingPlan, Trial


def _describe_network(summary: dict[str, Any]) -> str:
    """Bits, messages and size in one line."""
    bits = {stage: number for stage, number in summary["bits"].items() if number < 32}
    stages = ", ".join(f"{stage} {number}" for stage, number in bits.items()) or "none, float32"
    return (
        f"{summary['num_parameters']:,} parameters; bits: {stages}; "
        f"{summary['num_steps']} steps with {summary['messages'].replace('_', '-')} messages"
    )


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
        "size": _size(**results["size_bytes"], what="packed file"),
        "time": f"{results['seconds']['fit']:.1f} s to train, "
        f"{results['seconds']['total']:.1f} s with starting and testing",
    }
    return "\n".join(f"{name:<15}{value}" for name, value in rows.items())


def _size(packed: int, float32: int, file: int | None, what: str) -> str:
    """Bytes of the packed file, or of codes, scales and biases where there is no such file."""
    size, what = (packed, "codes, scales and biases") if file is None else (file, what)
    return f"{size:,} bytes ({what}), {beside_float32(size, float32)}"


def beside_float32(size: int, float32: int) -> str:
    """How much smaller or larger a network is than its weights in full precision.

    Args:
        size: Its bytes.
        float32: Bytes of the weights and biases in full precision.
    """
    ratio = f"{float32 / size:.1f}x smaller" if size <= float32 else f"{size / float32:.1f}x larger"
    return f"{ratio} than float32 ({float32:,})"


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
    time = f"{total}{_duration(seconds)} per epoch: {tried} tried, without logs and checkpoints"
    sizes = {**plan.summary["size_bytes"], "file": plan.file_bytes}
    rows = {
        "graph": f"{plan.num_nodes:,} nodes, {plan.num_edges:,} entries of the adjacency",
        "network": _describe_network(plan.summary),
        "size": _size(**sizes, what="packed file, larger where multipliers act"),
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
    return "\n".join(f"{name:<15}{value:.4f}" for name, value in metrics.items())
