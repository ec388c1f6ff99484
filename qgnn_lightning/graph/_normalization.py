"""The normalised operators of a graph, each as one product with A'."""

from __future__ import annotations

from torch import Tensor

from qgnn_lightning.graph._adjacency import Adjacency, aggregate


def propagate(adjacency: Adjacency, h: Tensor) -> Tensor:
    r"""Symmetrically normalised product, :math:`\hat A h = D^{-1/2} A' D^{-1/2} h`.

    Source: Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional
    Networks", ICLR 2017.

    Shapes:
        h: ``(num_nodes, num_features)`` -> same.
    """
    scaled = h * adjacency.inv_sqrt_degree
    return aggregate(adjacency, scaled) * adjacency.inv_sqrt_degree


def random_walk(adjacency: Adjacency, z: Tensor) -> Tensor:
    r"""Mean over the neighbourhood, :math:`D^{-1} A' z`: :math:`\hat A` in the basis D^-1/2 h.

    Shapes:
        z: ``(num_nodes, num_features)`` -> same.
    """
    return aggregate(adjacency, z) * adjacency.inv_degree


def symmetric_laplacian(adjacency: Adjacency, h: Tensor) -> Tensor:
    r"""Product with the normalised Laplacian, :math:`L h = h - \hat A h`.

    Its eigenvalues lie in [0, 2) where the graph is symmetric.

    Shapes:
        h: ``(num_nodes, num_features)`` -> same.
    """
    return h - propagate(adjacency, h)
