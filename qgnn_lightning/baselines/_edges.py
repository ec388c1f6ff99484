"""A graph as PyG's layers take it."""

from __future__ import annotations

import torch
from torch import Tensor

from qgnn_lightning.graph import Adjacency


def edges(adjacency: Adjacency) -> tuple[Tensor, Tensor | None]:
    """PyG's ``edge_index`` and ``edge_weight``, self-loops included.

    Shapes:
        returns: ``(2, num_edges)`` and ``(num_edges,)``.
    """
    return torch.stack([adjacency.col, adjacency.row]), adjacency.value


def normalized_edges(adjacency: Adjacency) -> tuple[Tensor, Tensor]:
    r"""PyG's ``edge_index`` with the entries of :math:`\hat A`, for layers that do not normalise.

    Shapes:
        returns: ``(2, num_edges)`` and ``(num_edges,)``.
    """
    edge_index, weight = edges(adjacency)
    scale = adjacency.inv_sqrt_degree[:, 0]
    entries = scale[adjacency.row] * scale[adjacency.col]
    return edge_index, entries if weight is None else entries * weight
