"""The weights and coefficients of a network, apart from how it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from qgnn_lightning import kernels
from qgnn_lightning.deploy import PackedGNN, PackedLinear, PackedPropagation
from qgnn_lightning.nn import (
    AffinePropagation,
    DeltaSigmaMessages,
    DirectMessages,
    Messages,
    QuantizedGNN,
    QuantizedLinear,
    Recurrence,
)
from qgnn_lightning.quantization import FrozenQuantizer, IdentityQuantizer

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear map.

    Shapes:
        weight: ``(out_features, in_features)``; bias: ``(out_features,)``.
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Apply; to torch.sparse CSR features too."""
        if x.layout == torch.sparse_csr:
            return torch.addmm(self.bias, x, self.weight.t())
        return functional.linear(x, self.weight, self.bias)

    def double(self) -> Linear:
        """In float64."""
        return Linear(self.weight.double(), self.bias.double())


@dataclass(frozen=True, eq=False)
class Weights:
    """What a network computes when nothing is rounded.

    Args:
        order: ``encode``: two linear maps, then propagate; ``embed``: propagate between them.
        encoder: First linear map.
        classifier: Second linear map.
        recurrence: Coefficients of a step.
        strengths: Factor of each step's correction.
    """

    order: Literal["encode", "embed"]
    encoder: Linear
    classifier: Linear
    recurrence: Recurrence
    strengths: tuple[float, ...]

    @classmethod
    def of_network(cls, network: QuantizedGNN, strengths: tuple[float, ...]) -> Weights:
        """Weights of a network in training."""
        layers = (network.encoder, network.classifier)
        encoder, classifier = (Linear(one.weight.detach(), one.bias.detach()) for one in layers)
        recurrence = network.propagation.recurrence
        return cls(network.config.order, encoder, classifier, recurrence, strengths)

    @classmethod
    def of_packed(cls, packed: PackedGNN) -> Weights:
        """Weights of a packed network: the numbers that its codes stand for."""
        return cls(
            packed.order,
            Linear(_real_weight(packed.encoder), packed.encoder.bias),
            Linear(_real_weight(packed.classifier), packed.classifier.bias),
            packed.propagation.recurrence,
            packed.propagation.strengths,
        )

    @property
    def num_bytes(self) -> int:
        """Bytes of weights and biases in float32."""
        layers = (self.encoder, self.classifier)
        return sum(4 * (layer.weight.numel() + layer.bias.numel()) for layer in layers)

    @property
    def width(self) -> int:
        """Number of features that are propagated."""
        layer = self.classifier if self.order == "encode" else self.encoder
        return layer.bias.numel()

    def double(self) -> Weights:
        """In float64."""
        return replace(self, encoder=self.encoder.double(), classifier=self.classifier.double())

    def start(self, x: Tensor) -> Tensor:
        """What the propagation starts from."""
        hidden = torch.relu_(self.encoder(x))
        return self.classifier(hidden) if self.order == "encode" else hidden

    def scores(self, x: Tensor, propagate: Map) -> Tensor:
        """Class scores.

        Args:
            x: Features of the nodes.
            propagate: Computes the propagation.
        """
        propagated = propagate(self.start(x))
        return propagated if self.order == "encode" else self.classifier(propagated)

    def linear_part(self, x: Tensor, propagated: Tensor) -> Tensor:
        """Everything but the propagation, given its result."""
        start = self.start(x)
        return start if self.order == "encode" else self.classifier(propagated)


def _real_weight(layer: PackedLinear) -> Tensor:
    grid = layer.weight_grid
    codes = kernels.unpack(layer.weight, grid.num_bits, layer.in_features)
    return (codes.float() * grid.stride - grid.zero_point) * grid.scale


def float_propagation(weights: Weights) -> AffinePropagation:
    """Our propagation with nothing quantized."""
    quantizers = [[IdentityQuantizer() for _ in weights.strengths] for _ in range(2)]
    messages = DirectMessages(*quantizers)
    return AffinePropagation(weights.recurrence, messages, list(weights.strengths)).eval()


def simulated(packed: PackedGNN) -> Callable[..., Tensor]:
    """A network that computes in float32 what a packed one computes in integers.

    Args:
        packed: The packed network.

    Returns:
        A function of the features and the graph.
    """
    encoder, classifier = _simulated_linear(packed.encoder), _simulated_linear(packed.classifier)
    propagation = _simulated_propagation(packed.propagation)

    def run(x: Tensor, graph: Tensor) -> Tensor:
        hidden = torch.relu(encoder(x))
        result: Tensor
        if packed.order == "encode":
            result = propagation(classifier(hidden), graph)
        else:
            result = classifier(propagation(hidden, graph))
        return result

    return run


def _simulated_linear(layer: PackedLinear) -> QuantizedLinear:
    # The weights lie on levels already: they must not be shifted once more before truncation.
    weight_quantizer = FrozenQuantizer(replace(layer.weight_grid, shift=0))
    result = QuantizedLinear(
        layer.in_features, layer.out_features, FrozenQuantizer(layer.input_grid), weight_quantizer
    )
    with torch.no_grad():
        result.weight.copy_(_real_weight(layer))
        result.bias.copy_(layer.bias)
    return result.eval()


def _simulated_propagation(packed: PackedPropagation) -> AffinePropagation:
    quantizers = [FrozenQuantizer(grid) for grid in packed.grids]
    changes = [FrozenQuantizer(grid or packed.grids[0]) for grid in packed.change_grids]
    messages: Messages
    if packed.form == "direct":
        messages = DirectMessages(quantizers, changes)
    else:
        messages = DeltaSigmaMessages(quantizers, changes, packed.residual_bits)
    return AffinePropagation(packed.recurrence, messages, list(packed.strengths)).eval()
