"""What came out of a run, as plain values."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qgnn_lightning.data import GraphBatch
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import DeltaSigmaMessages, GraphNetwork, PropagatingNetwork
from qgnn_lightning.provenance import versions
from qgnn_lightning.run._size import float32_size, packed_size
from qgnn_lightning.storage import atomic_path

_PACKAGES = ("torch", "lightning", "torch-geometric")


@torch.no_grad()
def split_accuracies(
    network: Callable[[Tensor, Adjacency], Tensor], batch: GraphBatch
) -> dict[str, float]:
    """Accuracy on each part of the split that has nodes.

    Args:
        network: The network, in evaluation mode, or a packed one.
        batch: The graph.
    """
    correct = network(batch.x, batch.adjacency).argmax(1) == batch.y
    of_parts = {split: correct[batch.mask(split)] for split in ("train", "val", "test")}
    return {split: float(one.double().mean()) for split, one in of_parts.items() if len(one)}


def network_summary(network: GraphNetwork) -> dict[str, Any]:
    """Bits, messages, and size of a network.

    Args:
        network: The network.
    """
    delta_sigma = isinstance(network, PropagatingNetwork) and isinstance(
        network.propagation.messages, DeltaSigmaMessages
    )
    return {
        "architecture": network.config.architecture,
        "bits": asdict(network.config.precision),
        "messages": "delta_sigma" if delta_sigma else "direct",
        "num_steps": network.num_steps,
        "num_parameters": sum(parameter.numel() for parameter in network.parameters()),
        "size_bytes": {"packed": packed_size(network), "float32": float32_size(network)},
    }


def graph_summary(batch: GraphBatch, title: str) -> dict[str, Any]:
    """What a run was trained on; links from a node to itself do not count as edges.

    Args:
        batch: The graph.
        title: What it is called.

    Returns:
        Plain values; an undirected edge counts once.
    """
    adjacency = batch.adjacency
    entries = int((adjacency.row != adjacency.col).sum())
    return {
        "title": title,
        "num_nodes": batch.num_nodes,
        "num_edges": entries // 2 if adjacency.symmetric else entries,
        "directed": not adjacency.symmetric,
        "num_features": batch.num_features,
        "num_classes": batch.num_classes,
    }


def environment() -> dict[str, Any]:
    """Versions and hardware."""
    hardware = {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }
    return {"versions": versions(_PACKAGES), "hardware": hardware}


def write_json(values: dict[str, Any], path: Path, indent: int | None = None) -> None:
    """Write plain values, as a whole or not at all; numbers that are not finite become null.

    Args:
        values: Plain values.
        path: The file.
        indent: Blanks per level; ``None`` writes one line.
    """
    with atomic_path(path) as file:
        file.write_text(json.dumps(_finite(values), indent=indent) + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
