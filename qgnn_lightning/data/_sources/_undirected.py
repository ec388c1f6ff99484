"""Edges of an undirected graph in both directions."""

from __future__ import annotations

import torch
from torch import Tensor

from qgnn_lightning.data._validation import GraphDataError


def both_directions(edge_index: Tensor, edge_weight: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """List every edge once in each direction; self-loops are left out, repetitions merged.

    Args:
        edge_index: Edges, in one direction or in both.
        edge_weight: Their weights, or ``None``.

    Shapes:
        edge_index: ``(2, num_rows)``; edge_weight: ``(num_rows,)``; returns
        ``(2, 2 * num_edges)`` and ``(2 * num_edges,)``.

    Raises:
        GraphDataError: If an edge is given twice with different weights.
    """
    keep = edge_index[0] != edge_index[1]
    ends = edge_index[:, keep].sort(0).values
    num_nodes = int(ends.max()) + 1 if ends.numel() else 1
    keys, which = torch.unique(ends[0] * num_nodes + ends[1], return_inverse=True)
    edges = torch.stack([keys // num_nodes, keys % num_nodes])
    both = torch.cat([edges, edges.flip(0)], dim=1)
    if edge_weight is None:
        return both, None
    weight = edge_weight[keep]
    merged = weight.new_zeros(edges.shape[1]).index_copy_(0, which, weight)
    wrong = (merged[which] != weight).nonzero()
    if wrong.numel():
        row = int(wrong[0])
        first, second = ends[:, row].tolist()
        raise GraphDataError(
            f"the edge between nodes {first} and {second} must have one weight, "
            f"got {float(weight[row]):g} and {float(merged[which[row]]):g}"
        )
    return both, torch.cat([merged, merged])
