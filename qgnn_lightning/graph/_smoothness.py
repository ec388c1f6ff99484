"""How alike the representations of neighbours are: the measures of oversmoothing."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from qgnn_lightning.graph._adjacency import Adjacency, aggregate
from qgnn_lightning.graph._normalization import propagate


def dirichlet_energy(
    adjacency: Adjacency,
    h: Tensor,
    normalization: Literal["symmetric", "mean_square"] = "symmetric",
) -> Tensor:
    r"""Dirichlet energy of a representation; 0 where it is smooth.

    ``symmetric``, the energy that the propagation lowers (Cai and Wang, "A Note on
    Over-Smoothing for Graph Neural Networks", 2020):

    .. math:: \operatorname{tr}(H^\top L H)
        = \tfrac12 \sum_{i,j} A'_{ij} \,\lVert h_i/\sqrt{d_i} - h_j/\sqrt{d_j} \rVert^2

    ``mean_square``, without the degrees and per node (Rusch et al., "A Survey on Oversmoothing
    in Graph Neural Networks", 2023); 0 only where all nodes of a component are equal:

    .. math:: \frac1N \sum_{i,j} A'_{ij} \,\lVert h_i - h_j \rVert^2

    Args:
        adjacency: A symmetric graph.
        h: Representation of the nodes.
        normalization: Which of the two.

    Shapes:
        h: ``(num_nodes, num_features)`` -> ``()``.
    """
    if normalization == "symmetric":
        return (h * (h - propagate(adjacency, h))).sum()
    smooth = h * adjacency.degree[:, None] - aggregate(adjacency, h)
    return 2 * (h * smooth).sum() / max(adjacency.num_nodes, 1)


def mean_average_distance(adjacency: Adjacency, h: Tensor) -> Tensor:
    r"""Mean cosine distance between neighbours, in [0, 2]; 0 where all of them are parallel.

    The mean over each node's neighbours, then over the nodes that have any. A zero vector
    counts as orthogonal to everything.

    Source: Chen et al., "Measuring and Relieving the Over-smoothing Problem for Graph Neural
    Networks from the Topological View", AAAI 2020 (neighbouring pairs as targets).

    Shapes:
        h: ``(num_nodes, num_features)`` -> ``()``.
    """
    unit = torch.nn.functional.normalize(h, dim=1)
    neighbours = adjacency.rowptr.diff().to(h.dtype) - 1
    unweighted = Adjacency(
        adjacency.rowptr, adjacency.col, None, adjacency.degree, adjacency.symmetric
    )
    similarity = (unit * (aggregate(unweighted, unit) - unit)).sum(1)
    connected = neighbours > 0
    if not bool(connected.any()):
        return h.new_zeros(())
    return 1 - (similarity[connected] / neighbours[connected]).mean()
