"""Elastic GNN in full precision."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from qgnn_lightning.baselines._perceptron import PerceptronNetwork
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import ElasticPropagation, NetworkConfig, as_adjacency


class ElasticNetwork(PerceptronNetwork):
    """Two linear layers and elastic message passing.

    Source: Liu et al., "Elastic Graph Neural Networks", ICML 2021.

    Args:
        num_features: Size of the input.
        num_classes: Size of the output.
        config: Everything else.
    """

    def __init__(self, num_features: int, num_classes: int, config: NetworkConfig) -> None:
        super().__init__(num_features, num_classes, config)
        smoothing = config.propagation.smoothing
        self.propagate = ElasticPropagation(self.num_steps, config.sparsity, smoothing)

    def forward(self, x: Tensor, graph: Tensor | Adjacency) -> Tensor:
        scores: Tensor = self.propagate(self.classify(x), as_adjacency(graph, x))
        return scores

    def representations(self, x: Tensor, adjacency: Adjacency) -> Iterator[Tensor]:
        start = self.classify(x)
        yield start
        yield from self.propagate.steps(start, adjacency)
