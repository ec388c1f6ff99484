"""GCNII: deep graph convolutions that hold on to their input and to the identity."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import GCN2Conv

from qgnn_lightning.baselines._edges import normalized_edges
from qgnn_lightning.baselines._perceptron import full_precision_linear
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import GraphNetwork, NetworkConfig, as_adjacency


class GCNII(GraphNetwork):
    r"""A linear layer, as many of PyG's ``GCN2Conv`` as the config has steps, a linear layer.

    .. math:: H_{l+1} = \operatorname{relu}\big(((1-\alpha) \hat A H_l + \alpha H_0)
        ((1-\beta_l) I + \beta_l W_l)\big), \qquad \beta_l = \log(\theta / l + 1)

    :math:`\alpha` is the config's restart, :math:`\theta` its identity mapping.

    Source: Chen et al., "Simple and Deep Graph Convolutional Networks", ICML 2020.

    Args:
        num_features: Size of the input.
        num_classes: Size of the output.
        config: Everything else; its steps are the layers.
    """

    def __init__(self, num_features: int, num_classes: int, config: NetworkConfig) -> None:
        super().__init__(config)
        width = config.hidden_features
        self.encoder = full_precision_linear(num_features, width, config.dropout)
        self.convs = nn.ModuleList(
            GCN2Conv(
                width,
                alpha=config.propagation.restart,
                theta=config.identity_mapping,
                layer=layer,
                normalize=False,
            )
            for layer in range(1, self.num_steps + 1)
        )
        self.classifier = full_precision_linear(width, num_classes, config.dropout)

    def representations(self, x: Tensor, adjacency: Adjacency) -> Iterator[Tensor]:
        graph = normalized_edges(adjacency)
        start = torch.relu(self.encoder(x))
        yield start
        h = start
        for conv in self.convs:
            kept = functional.dropout(h, self.config.dropout, self.training)
            h = torch.relu(conv(kept, start, *graph))
            yield h

    def forward(self, x: Tensor, graph: Tensor | Adjacency) -> Tensor:
        for h in self.representations(x, as_adjacency(graph, x)):
            last = h
        scores: Tensor = self.classifier(last)
        return scores
