"""What is printed before and after a run."""

from __future__ import annotations

from typing import Any


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
    accuracy, size = results["accuracy"], results["size_bytes"]
    percent = {split: f"{100 * value:.1f} %" for split, value in accuracy.items()}
    saved = size["float32"] / size["packed"]
    rows = {
        "test accuracy": f"{percent['test']}, at the best of {results['epochs']} epochs, "
        f"number {results['best_epoch'] + 1}",
        "validation": percent["val"],
        "training": percent["train"],
        "network": _describe_network(results),
        "size": f"{size['packed']:,} bytes packed, {saved:.1f}x smaller than float32",
        "time": f"{results['seconds']['fit']:.1f} s to train, "
        f"{results['seconds']['total']:.1f} s in all",
    }
    return "\n".join(f"{name:<15}{value}" for name, value in rows.items())


def metrics_table(metrics: dict[str, float]) -> str:
    """Metrics, one per line.

    Args:
        metrics: Value by name.
    """
    return "\n".join(f"{name:<15}{value:.4f}" for name, value in metrics.items())
