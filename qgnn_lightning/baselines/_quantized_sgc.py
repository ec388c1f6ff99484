"""SGC with quantized features, weights and messages."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import (
    NetworkConfig,
    PropagatingNetwork,
    QuantizedLinear,
    as_adjacency,
    make_propagation,
)
from qgnn_lightning.quantization import make_quantizer, protect


class QuantizedSGC(PropagatingNetwork):
    r"""A quantized linear layer and a quantized propagation, :math:`\hat A^K (X W) + b`.

    In full precision it is :class:`~qgnn_lightning.baselines._sgc.SGC`. Classifying first makes
    the messages as narrow as the classes.

    Source: Wu et al., "Simplifying Graph Convolutional Networks", ICML 2019.

    Args:
        num_features: Size of the input.
        num_classes: Size of the output.
        config: Everything else.
    """

    def __init__(self, num_features: int, num_classes: int, config: NetworkConfig) -> None:
        super().__init__(config)
        bits, momentum = config.precision, config.momentum
        channels = num_classes if config.per_channel_weights else None
        self.classifier = QuantizedLinear(
            num_features,
            num_classes,
            make_quantizer(config.features_quantizer, bits.input, momentum),
            make_quantizer(config.weight_quantizer, bits.weight, momentum, channels),
            config.dropout,
            bias=False,
        )
        self.bias = nn.Parameter(torch.zeros(num_classes))
        powers = replace(config.propagation, propagation="powers")
        self.propagation = make_propagation(powers, bits, config.quantizer, momentum)

    def propagation_input(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(x)
        return scores

    def forward(self, x: Tensor, graph: Tensor | Adjacency) -> Tensor:
        adjacency = as_adjacency(graph, x)
        if x.layout == torch.strided:  # the values of a sparse input are not rows of nodes
            protect([self.classifier.input_quantizer], adjacency.degree)
        propagated: Tensor = self.propagation(self.propagation_input(x), adjacency)
        return propagated + self.bias
