"""Elastic message passing: smooth within regions, with jumps between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qgnn_lightning.graph import Adjacency, propagate
from qgnn_lightning.nn._propagation import as_adjacency


@dataclass(frozen=True, eq=False)
class Incidence:
    r"""Normalised incidence matrix :math:`B`, a row per undirected edge; :math:`B^\top B = L`.

    .. math:: (B h)_{(i,j)} = \sqrt{w_{ij}}\,(h_i / \sqrt{d_i} - h_j / \sqrt{d_j})

    Args:
        first: First end of each edge.
        second: Second end of each edge.
        first_weight: Entry of the first end, a column.
        second_weight: Entry of the second end without its sign, a column.
        num_nodes: Number of nodes.
    """

    first: Tensor
    second: Tensor
    first_weight: Tensor
    second_weight: Tensor
    num_nodes: int

    @classmethod
    def of(cls, adjacency: Adjacency) -> Incidence:
        """Incidence matrix of a graph.

        Raises:
            ValueError: If the graph is not symmetric.
        """
        if not adjacency.symmetric:
            raise ValueError("adjacency must be symmetric: an edge has one difference, not two")
        once = adjacency.row > adjacency.col
        first, second = adjacency.row[once], adjacency.col[once]
        scale = adjacency.inv_sqrt_degree
        root = 1.0 if adjacency.value is None else adjacency.value[once].sqrt()[:, None]
        return cls(first, second, scale[first] * root, scale[second] * root, adjacency.num_nodes)

    def differences(self, h: Tensor) -> Tensor:
        """:math:`B h`.

        Shapes:
            h: ``(num_nodes, num_features)`` -> ``(num_undirected_edges, num_features)``.
        """
        return h[self.first] * self.first_weight - h[self.second] * self.second_weight

    def divergence(self, z: Tensor) -> Tensor:
        r""":math:`B^\top z`.

        Shapes:
            z: ``(num_undirected_edges, num_features)`` -> ``(num_nodes, num_features)``.
        """
        result = z.new_zeros(self.num_nodes, z.shape[1])
        result = result.index_add(0, self.first, z * self.first_weight)
        return result.index_add(0, self.second, z * self.second_weight, alpha=-1)


def clip_rows(z: Tensor, largest: float) -> Tensor:
    r"""Projection of each row on the ball of a radius: the proximal step of the l21 norm's dual.

    .. math:: z_i \min(1, \lambda / \lVert z_i \rVert)

    Shapes:
        z: ``(num_rows, num_features)`` -> same.
    """
    if largest == 0:
        return torch.zeros_like(z)
    norm = torch.linalg.vector_norm(z, dim=1, keepdim=True)
    clipped: Tensor = z * (largest / norm.clamp(min=largest))
    return clipped


class ElasticPropagation(nn.Module):
    r"""Elastic message passing (EMP) in full precision.

    Its steps descend on

    .. math:: \lambda_1 \sum_{(i,j)} \lVert (B H)_{(i,j)} \rVert_2
        + \tfrac{\lambda_2}{2} \operatorname{tr}(H^\top L H) + \tfrac12 \lVert H - X_0 \rVert_F^2

    by the primal-dual method, with :math:`\gamma = 1/(1+\lambda_2)`, :math:`Z_0 = 0` and
    :func:`clip_rows` as proximal step:

    .. math::
        Y = \gamma X_0 + (1-\gamma) \hat A H_k, \qquad
        Z_{k+1} = \operatorname{clip}_{\lambda_1}\!\left(Z_k + \tfrac{1}{2\gamma} B\,
        (Y - \gamma B^\top Z_k)\right), \qquad
        H_{k+1} = Y - \gamma B^\top Z_{k+1}

    Without the first term it is a personalised propagation of restart :math:`\gamma`.

    Source: Liu et al., "Elastic Graph Neural Networks", ICML 2021, section 3 (the l21 variant).

    Args:
        num_steps: Number of steps :math:`K`, at least 1.
        sparsity: Weight :math:`\lambda_1` of the norm of the differences, at least 0.
        smoothing: Weight :math:`\lambda_2` of the smoothness, at least 0.

    Shapes:
        x: ``(num_nodes, num_features)`` -> same.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, num_steps: int, sparsity: float = 3.0, smoothing: float = 3.0) -> None:
        super().__init__()
        if num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {num_steps}")
        if not sparsity >= 0:
            raise ValueError(f"sparsity must be at least 0, got {sparsity}")
        if not smoothing >= 0:
            raise ValueError(f"smoothing must be at least 0, got {smoothing}")
        self.num_steps = num_steps
        self.sparsity = sparsity
        self.smoothing = smoothing

    def steps(self, x: Tensor, adjacency: Adjacency) -> Iterator[Tensor]:
        """The representation after each step.

        Shapes:
            x: ``(num_nodes, num_features)``; same for what is yielded.

        Raises:
            ValueError: If the graph is not symmetric.
        """
        incidence = Incidence.of(adjacency)
        gamma = 1 / (1 + self.smoothing)
        h, z = x, incidence.differences(torch.zeros_like(x))
        for _ in range(self.num_steps):
            y = gamma * x + (1 - gamma) * propagate(adjacency, h)
            predicted = y - gamma * incidence.divergence(z)
            z = clip_rows(z + incidence.differences(predicted) / (2 * gamma), self.sparsity)
            h = y - gamma * incidence.divergence(z)
            yield h

    def forward(self, x: Tensor, graph: Tensor | Adjacency) -> Tensor:
        """Propagate.

        Args:
            x: Features of the nodes.
            graph: PyG's ``edge_index``, or an :class:`Adjacency` built once.

        Raises:
            ValueError: If the graph is not symmetric.
        """
        for h in self.steps(x, as_adjacency(graph, x)):
            result = h
        return result

    def extra_repr(self) -> str:
        """Arguments, for printing."""
        return f"{self.num_steps}, sparsity={self.sparsity}, smoothing={self.smoothing}"
