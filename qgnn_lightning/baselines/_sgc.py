"""SGC in full precision."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch_geometric.nn import SGConv

from qgnn_lightning.baselines._edges import edges
from qgnn_lightning.baselines._features import as_dense
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import GraphNetwork, NetworkConfig, Recurrence, as_adjacency, exact_steps


class SGC(GraphNetwork):
    r"""PyG's ``SGConv``: a linear classifier of propagated features, :math:`\hat A^K X W + b`.

    The propagated features are kept until other features or another graph come.

    Source: Wu et al., "Simplifying Graph Convolutional Networks", ICML 2019.

    Args:
        num_features: Size of the input.
        num_classes: Size of the output.
        config: Everything else.
    """

    def __init__(self, num_features: int, num_classes: int, config: NetworkConfig) -> None:
        super().__init__(config)
        steps = self.num_steps
        # The graph brings its self-loops; with these the layer normalises as it would alone.
        self.conv = SGConv(num_features, num_classes, K=steps, cached=True, add_self_loops=False)
        self._seen: tuple[Tensor, Tensor | Adjacency] | None = None

    def forward(self, x: Tensor, graph: Tensor | Adjacency) -> Tensor:
        arguments = (as_dense(x), *edges(as_adjacency(graph, x)))
        if self._seen is None or self._seen[0] is not x or self._seen[1] is not graph:
            self.conv._cached_x = None
            self._seen = (x, graph)
            # Kept for training too, whoever asks first.
            with torch.inference_mode(False), torch.no_grad():
                self.conv(*arguments)
        scores: Tensor = self.conv(*arguments)
        return scores

    def representations(self, x: Tensor, adjacency: Adjacency) -> Iterator[Tensor]:
        """Powers of the classified features, which equal the classified powers; without bias."""
        start = as_dense(x) @ self.conv.lin.weight.t()
        yield start
        yield from exact_steps(Recurrence(0.0, 1.0, 0.0), [0.0] * self.num_steps, start, adjacency)
