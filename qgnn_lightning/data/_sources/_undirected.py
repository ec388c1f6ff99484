"""Edges of an undirected graph in both directions."""

from __future__ import annotations

import torch
from torch import Tensor

from qgnn_lightning.data._validation import GraphDataError


def both_directions(edge_index: Tensor, edge_weight: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """List every edge once in each direction; self-loops are left out, repetitions merged.

    Args:
        edge_index: Edges, in one direction or in both.
        edge_weight: Their weights, one for each edge however often it is listed, or ``None``.

    Shapes:
        edge_index: ``(2, num_rows)``; edge_weight: ``(num_rows,)``; returns
        ``(2, 2 * num_edges)`` and ``(2 * num_edges,)``.
    """
    keep = edge_index[0] != edge_index[1]
    edges, which = _merged(edge_index[:, keep])
    both = torch.cat([edges, edges.flip(0)], dim=1)
    if edge_weight is None:
        return both, None
    weight = edge_weight[keep]
    merged = weight.new_zeros(edges.shape[1]).index_copy_(0, which, weight)
    return both, torch.cat([merged, merged])


def check_one_weight(edge_index: Tensor, edge_weight: Tensor) -> None:
    """Check that no edge has several weights.

    Args:
        edge_index: Edges, in one direction or in both.
        edge_weight: Their weights.

    Shapes:
        edge_index: ``(2, num_rows)``; edge_weight: ``(num_rows,)``.

    Raises:
        GraphDataError: If one has.
    """
    for row, other in contradictions(edge_index, edge_weight)[:1].tolist():
        first, second = edge_index[:, row].tolist()
        raise GraphDataError(
            f"the edge between nodes {first} and {second} must have one weight, "
            f"got {float(edge_weight[row]):g} and {float(edge_weight[other]):g}"
        )


def contradictions(edge_index: Tensor, edge_weight: Tensor) -> Tensor:
    """Rows that give an edge another weight than an earlier row does.

    Args:
        edge_index: Edges, in one direction or in both.
        edge_weight: Their weights.

    Shapes:
        edge_index: ``(2, num_rows)``; edge_weight: ``(num_rows,)``; returns
        ``(num_contradictions, 2)``: the row, and the first row of its edge.
    """
    rows = (edge_index[0] != edge_index[1]).nonzero()[:, 0]
    edges, which = _merged(edge_index[:, rows])
    first = rows.new_zeros(edges.shape[1]).scatter_reduce_(
        0, which, rows, "amin", include_self=False
    )[which]
    wrong = edge_weight[rows] != edge_weight[first]
    return torch.stack([rows[wrong], first[wrong]], dim=1)


def _merged(edge_index: Tensor) -> tuple[Tensor, Tensor]:
    """Each edge once, and for each row which edge it is."""
    ends = edge_index.sort(0).values
    num_nodes = int(ends.max()) + 1 if ends.numel() else 1
    keys, which = torch.unique(ends[0] * num_nodes + ends[1], return_inverse=True)
    return torch.stack([keys // num_nodes, keys % num_nodes]), which
