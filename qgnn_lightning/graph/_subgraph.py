"""A part of a graph that still knows the degrees of the whole."""

from __future__ import annotations

import torch
from torch import Tensor

from qgnn_lightning.graph._adjacency import Adjacency


def induced_subgraph(adjacency: Adjacency, nodes: Tensor) -> Adjacency:
    r"""The entries of :math:`A'` between some nodes, with the degrees of the whole graph.

    A node then weighs its neighbours as in the whole graph, :math:`\hat A_{SS}` is a block of
    :math:`\hat A`, and what is missing counts as 0 (Chiang et al., "Cluster-GCN", KDD 2019,
    normalise anew instead). Time and memory grow with the rows of the nodes, not with the graph.

    Args:
        adjacency: The whole graph.
        nodes: Nodes to keep, ascending, each once.

    Shapes:
        nodes: ``(num_kept,)``.
    """
    entry, count = entries_of_rows(adjacency.rowptr, nodes)
    neighbour = adjacency.col[entry]
    position = torch.searchsorted(nodes, neighbour).clamp_(max=max(nodes.numel() - 1, 0))
    kept = nodes[position] == neighbour
    row = torch.arange(nodes.numel(), device=nodes.device).repeat_interleave(count)[kept]
    count = torch.bincount(row, minlength=nodes.numel())
    return Adjacency(
        rowptr=torch.cat([count.new_zeros(1), count.cumsum(0)]),
        col=position[kept],
        value=None if adjacency.value is None else adjacency.value[entry[kept]],
        degree=adjacency.degree[nodes],
        symmetric=adjacency.symmetric,
    )


def entries_of_rows(rowptr: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of the entries of some rows of a CSR matrix, row by row, and their number per row.

    Args:
        rowptr: Start of each row.
        rows: The rows.

    Shapes:
        rowptr: ``(num_rows + 1,)``; rows: ``(num_kept,)`` -> ``(num_entries,)``,
        ``(num_kept,)``.
    """
    start, count = rowptr[rows], rowptr[rows + 1] - rowptr[rows]
    end = count.cumsum(0)
    shift = (start - end + count).repeat_interleave(count)
    return torch.arange(shift.numel(), device=rows.device) + shift, count
