"""What a report shows of the best network: test nodes by class and by degree, and the ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from qgnn_lightning.data import GraphBatch, degree_histogram
from qgnn_lightning.deploy import describe_network
from qgnn_lightning.nn import GraphNetwork


@torch.no_grad()
def evaluation(
    network: GraphNetwork, batch: GraphBatch, class_names: Sequence[str]
) -> dict[str, Any]:
    """Plain values for ``evaluation.json``; degrees do not count links from a node to itself.

    Args:
        network: The network, in evaluation mode.
        batch: The graph.
        class_names: Names of the classes.
    """
    tested = batch.mask("test")
    predicted = network(batch.x, batch.adjacency).argmax(1)[tested]
    true = batch.y[tested]
    degree = batch.adjacency.rowptr.diff()[tested] - 1
    return {
        "class_names": list(class_names),
        "confusion": confusion_matrix(true, predicted, len(class_names)).tolist(),
        "degrees": _by_degree(degree.cpu(), (predicted == true).cpu()),
        "ranges": [
            {"name": part.name, "bits": part.bits, "scale": part.scale}
            for part in describe_network(network)
            if part.scale
        ],
    }


def confusion_matrix(true: Tensor, predicted: Tensor, num_classes: int) -> Tensor:
    """Number of nodes by true class (row) and predicted class (column).

    Shapes:
        true, predicted: ``(num_nodes,)``; returns ``(num_classes, num_classes)``.
    """
    pairs = true * num_classes + predicted
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)


def _by_degree(degree: Tensor, correct: Tensor) -> list[dict[str, Any]]:
    return [
        {
            "degree": one.name,
            "nodes": one.nodes,
            "correct": int(correct[(degree >= one.least) & (degree <= one.most)].sum()),
        }
        for one in degree_histogram(degree)
    ]
