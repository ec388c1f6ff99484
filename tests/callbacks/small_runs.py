"""A small graph, and a reader of what a run logged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from qgnn_lightning.data import GraphBatch
from qgnn_lightning.lightning_module import NodeClassifier

Train = Callable[..., tuple[Trainer, NodeClassifier]]


def small_graph(symmetric: bool = True) -> GraphBatch:
    """Forty nodes of three classes, each linked to the next five."""
    generator = torch.Generator().manual_seed(7)
    nodes = torch.arange(40)
    edges = torch.cat([torch.stack([nodes, (nodes + k) % 40]) for k in (1, 2, 3, 5, 9)], dim=1)
    if symmetric:
        edges = torch.cat([edges, edges.flip(0)], dim=1)
    y = nodes % 3
    x = torch.randn(40, 6, generator=generator) + torch.eye(6)[y]
    part = nodes // 14
    return GraphBatch.from_tensors(x, edges, y, part == 0, part == 1, part == 2)


def read(directory: str | Path) -> EventAccumulator:
    """All events of a run."""
    events = EventAccumulator(
        str(directory), size_guidance={"scalars": 0, "images": 0, "histograms": 0}
    )
    events.Reload()
    return events
