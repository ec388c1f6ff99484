"""GCN of any depth, in full precision or quantized."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from qgnn_lightning.baselines._edges import normalized_edges
from qgnn_lightning.baselines._features import as_dense, drop_features
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import GraphNetwork, NetworkConfig, QuantizedGCNConv, as_adjacency


class FullPrecisionConv(nn.Module):
    """PyG's ``GCNConv`` behind dropout, on an :class:`Adjacency`.

    Args:
        in_channels: Size of the input.
        out_channels: Size of the output.
        dropout: Probability to drop a feature while training.

    Shapes:
        x: ``(num_nodes, in_channels)``, dense or torch.sparse CSR ->
        ``(num_nodes, out_channels)``.
    """

    def __init__(self, in_channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        from torch_geometric.nn import GCNConv

        self.conv = GCNConv(in_channels, out_channels, normalize=False)
        self.dropout = dropout

    def forward(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """Convolve."""
        kept = drop_features(x, self.dropout, training=self.training)
        result: Tensor = self.conv(kept, *normalized_edges(adjacency))
        return result


class GCN(GraphNetwork):
    r"""Graph convolutions with ReLU between them, as many as the config has steps.

    .. math:: H_{l+1} = \operatorname{relu}(\hat A H_l W_l + b_l) \; [+\, H_l]

    The last layer has neither ReLU nor residual, and the first no residual, as their widths
    change. Quantized stages make the layers :class:`~qgnn_lightning.nn.QuantizedGCNConv`.

    Source: Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional
    Networks", ICLR 2017; residual connections as in their appendix B.

    Args:
        num_features: Size of the input.
        num_classes: Size of the output.
        config: Everything else; its steps are the layers, at least 1.
    """

    def __init__(self, num_features: int, num_classes: int, config: NetworkConfig) -> None:
        super().__init__(config)
        hidden = [config.hidden_features] * (self.num_steps - 1)
        widths = [num_features, *hidden, num_classes]
        self.first = self._conv(*widths[:2], is_first=True)
        self.later = nn.ModuleList(
            self._conv(*widths[i : i + 2], is_first=False) for i in range(1, self.num_steps)
        )

    def _conv(self, in_channels: int, out_channels: int, *, is_first: bool) -> nn.Module:
        config = self.config
        if config.precision.full:
            return FullPrecisionConv(in_channels, out_channels, config.dropout)
        bits = config.precision
        return QuantizedGCNConv(
            in_channels,
            out_channels,
            precision=replace(bits, activation=bits.input) if is_first else bits,
            quantizer=config.quantizer,
            weight_quantizer=config.weight_quantizer,
            input_quantizer=config.features_quantizer if is_first else None,
            per_channel_weights=config.per_channel_weights,
            momentum=config.momentum,
            dropout=config.dropout,
        )

    def _layers(self, x: Tensor, adjacency: Adjacency) -> Iterator[Tensor]:
        h, before = self.first(x, adjacency), None
        for conv in self.later:
            h = torch.relu(h)
            if self.config.residual and before is not None:
                h = h + before
            yield h
            h, before = conv(h, adjacency), h
        yield h

    def forward(self, x: Tensor, graph: Tensor | Adjacency) -> Tensor:
        for h in self._layers(x, as_adjacency(graph, x)):
            scores = h
        return scores

    def representations(self, x: Tensor, adjacency: Adjacency) -> Iterator[Tensor]:
        yield as_dense(x)
        yield from self._layers(x, adjacency)
