"""The PyG layer that is measured; a module of its own because importing PyG takes seconds."""

from __future__ import annotations

from torch import Tensor
from torch_geometric.nn import MessagePassing


class WeightedSum(MessagePassing):  # type: ignore[misc]
    """Weighted sum over the neighbours, as PyG's own convolutions compute it.

    Shapes:
        x: ``(num_nodes, num_features)``; edge_index: ``(2, num_edges)``; weight:
        ``(num_edges,)`` -> as ``x``.
    """

    def __init__(self) -> None:
        super().__init__(aggr="add")

    def forward(self, x: Tensor, edge_index: Tensor, weight: Tensor) -> Tensor:
        """Sum."""
        result: Tensor = self.propagate(edge_index, x=x, weight=weight)
        return result

    def message(self, x_j: Tensor, weight: Tensor) -> Tensor:
        """What a node sends along an edge."""
        return weight.view(-1, 1) * x_j
