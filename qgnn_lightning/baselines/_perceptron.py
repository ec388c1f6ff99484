"""The two linear layers in front of a propagation, in full precision."""

from __future__ import annotations

import torch
from torch import Tensor

from qgnn_lightning.nn import GraphNetwork, NetworkConfig, QuantizedLinear
from qgnn_lightning.quantization import IdentityQuantizer


class PerceptronNetwork(GraphNetwork):
    r"""Class scores of each node by itself, :math:`W_2 \operatorname{relu}(W_1 x)`, to propagate.

    Args:
        num_features: Size of the input.
        num_classes: Size of the output.
        config: Everything else.
    """

    def __init__(self, num_features: int, num_classes: int, config: NetworkConfig) -> None:
        super().__init__(config)
        self.encoder = full_precision_linear(num_features, config.hidden_features, config.dropout)
        self.classifier = full_precision_linear(config.hidden_features, num_classes, config.dropout)

    def classify(self, x: Tensor) -> Tensor:
        """Class scores before the propagation.

        Shapes:
            x: ``(num_nodes, num_features)`` -> ``(num_nodes, num_classes)``.
        """
        scores: Tensor = self.classifier(torch.relu(self.encoder(x)))
        return scores


def full_precision_linear(in_features: int, out_features: int, dropout: float) -> QuantizedLinear:
    """A linear layer behind dropout, which takes sparse features too."""
    features, weight = IdentityQuantizer(), IdentityQuantizer()
    return QuantizedLinear(in_features, out_features, features, weight, dropout)
