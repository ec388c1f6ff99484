"""Run directories written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS: dict[str, Any] = {
    "best_epoch": 4,
    "epochs": 9,
    "accuracy": {"train": 1.0, "val": 0.5, "test": 0.75},
    "data": {
        "title": "planetoid Cora",
        "num_nodes": 2708,
        "num_edges": 5278,
        "directed": False,
        "num_features": 1433,
        "num_classes": 7,
    },
    "bits": {"input": 2, "weight": 2, "activation": 4, "message": 2, "aggregate": 32},
    "messages": "delta_sigma",
    "num_steps": 3,
    "num_parameters": 1234,
    "size_bytes": {"packed": 1000, "float32": 8000},
    "seconds": {"fit": 2.0, "total": 5.0},
    "seed": 7,
    "versions": {"python": "3.11"},
    "hardware": {"cpus": 2, "gpus": []},
}
EVALUATION: dict[str, Any] = {
    "class_names": ["blue", "red"],
    "confusion": [[3, 1], [0, 4]],
    "degrees": [
        {"degree": "1", "nodes": 5, "correct": 4},
        {"degree": "2", "nodes": 0, "correct": 0},
        {"degree": "3-4", "nodes": 3, "correct": 3},
    ],
    "ranges": [{"name": "encoder input", "bits": 2, "scale": "0.5"}],
}
DIAGNOSTICS = [
    {"step": 0, "tag": "dirichlet_energy/symmetric", "first": 0, "values": [8.0, 4.0, 2.0, 1.0]},
    {"step": 9, "tag": "dirichlet_energy/symmetric", "first": 0, "values": [9.0, 5.0, None, 2.0]},
    {"step": 9, "tag": "quantization_error/measured", "first": 1, "values": [0.1, 0.2, 0.3]},
    {"step": 9, "tag": "quantization_error/sharp", "first": 1, "values": [1.0, 2.0, 3.0]},
    {"step": 9, "tag": "constraint/multiplier", "first": 1, "values": [0.0, 0.0, 0.5]},
    {"step": 9, "tag": "message/scale", "first": 1, "values": [0.3, 0.2, 0.1]},
]


def write_run(
    path: Path,
    *,
    config: str = "model:\n  bits: int2\n",
    results: Any = RESULTS,
    evaluation: Any = EVALUATION,
    diagnostics: Any = DIAGNOSTICS,
) -> Path:
    """Write a run directory; ``None`` leaves a file out."""
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(config)
    if results is not None:
        (path / "results.json").write_text(json.dumps(results))
    if evaluation is not None:
        (path / "evaluation.json").write_text(json.dumps(evaluation))
    if diagnostics is not None:
        lines = (json.dumps(one) + "\n" for one in diagnostics)
        (path / "diagnostics.jsonl").write_text("".join(lines))
    return path
