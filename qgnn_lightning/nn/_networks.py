"""Whole networks: an encoder and a propagation, in either order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn._blocks import evaluates, in_row_blocks
from qgnn_lightning.nn._factory import PropagationConfig, make_propagation
from qgnn_lightning.nn._linear import QuantizedLinear
from qgnn_lightning.nn._propagation import as_adjacency
from qgnn_lightning.quantization import Precision, Quantizer, QuantizerName, make_quantizer

NetworkOrder = Literal["encode", "embed"]


@dataclass(frozen=True)
class NetworkConfig:
    """A network but for the sizes of its input and output, which the data sets.

    Args:
        hidden_features: Width of the hidden layer.
        dropout: Probability to drop a feature of either linear layer, in [0, 1).
        order: ``encode``: to class scores, then propagate (as APPNP and the paper do);
            ``embed``: propagate hidden features, then classify.
        precision: Bits per stage.
        quantizer: How activations and messages are quantized.
        weight_quantizer: How input features and weights are quantized.
        per_channel_weights: Whether each output feature has a range of weights of its own.
        momentum: Weight of the newest range in a tracked one.
        propagation: Which propagation.
    """

    hidden_features: int = 64
    dropout: float = 0.5
    order: NetworkOrder = "encode"
    precision: Precision = field(default_factory=Precision)
    quantizer: QuantizerName = "least_squares"
    weight_quantizer: QuantizerName = "learned_range"
    per_channel_weights: bool = True
    momentum: float = 0.1
    propagation: PropagationConfig = field(default_factory=PropagationConfig)

    def __post_init__(self) -> None:
        if self.hidden_features < 1:
            raise ValueError(f"hidden_features must be at least 1, got {self.hidden_features}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")
        if self.order not in ("encode", "embed"):
            raise ValueError(f"order must be 'encode' or 'embed', got {self.order!r}")


class QuantizedGNN(nn.Module):
    r"""Two quantized linear layers and a quantized propagation.

    Order ``encode``: :math:`\operatorname{propagate}(W_2 \operatorname{relu}(W_1 x))`;
    order ``embed``: :math:`W_2 \operatorname{propagate}(\operatorname{relu}(W_1 x))`.

    Args:
        num_features: Size of the input.
        num_classes: Size of the output.
        config: Everything else.

    Shapes:
        x: ``(num_nodes, num_features)``, dense or torch.sparse CSR;
        output: ``(num_nodes, num_classes)`` scores.
    """

    def __init__(self, num_features: int, num_classes: int, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        bits = config.precision
        features = make_quantizer(config.weight_quantizer, bits.input, config.momentum)
        self.encoder = self._linear(num_features, config.hidden_features, features)
        hidden = make_quantizer(config.quantizer, bits.activation, config.momentum)
        self.classifier = self._linear(config.hidden_features, num_classes, hidden)
        self.propagation = make_propagation(
            config.propagation, bits, config.quantizer, config.momentum
        )

    def _linear(self, in_features: int, out_features: int, quantizer: Quantizer) -> QuantizedLinear:
        config = self.config
        channels = out_features if config.per_channel_weights else None
        weight_quantizer = make_quantizer(
            config.weight_quantizer, config.precision.weight, config.momentum, channels
        )
        return QuantizedLinear(
            in_features, out_features, quantizer, weight_quantizer, config.dropout
        )

    def propagation_input(self, x: Tensor) -> Tensor:
        """What the propagation starts from: class scores or hidden features.

        Shapes:
            x: ``(num_nodes, num_features)`` -> ``(num_nodes, num_classes or hidden_features)``.
        """
        return in_row_blocks(self._encode, x) if evaluates(self) else self._encode(x)

    def _encode(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.encoder(x))
        scores: Tensor = self.classifier(hidden) if self.config.order == "encode" else hidden
        return scores

    def forward(self, x: Tensor, graph: Tensor | Adjacency) -> Tensor:
        """Class scores.

        Args:
            x: Features of the nodes.
            graph: PyG's ``edge_index``, or an :class:`Adjacency` built once.
        """
        start = self.propagation_input(x)
        propagated: Tensor = self.propagation(start, as_adjacency(graph, start))
        if self.config.order == "encode":
            return propagated
        if evaluates(self):
            return in_row_blocks(self.classifier, propagated)
        scores: Tensor = self.classifier(propagated)
        return scores
