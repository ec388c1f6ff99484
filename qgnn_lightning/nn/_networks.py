"""Whole networks: an encoder and a propagation, in either order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn._blocks import evaluates, in_row_blocks
from qgnn_lightning.nn._factory import PropagationConfig, make_propagation
from qgnn_lightning.nn._linear import QuantizedLinear
from qgnn_lightning.nn._propagation import Propagation, as_adjacency
from qgnn_lightning.quantization import (
    Precision,
    Quantizer,
    QuantizerName,
    make_quantizer,
    protect,
)

NetworkOrder = Literal["encode", "embed"]
ArchitectureName = Literal["decoupled", "gcn", "gcnii", "appnp", "sgc", "elastic"]
_FULL_PRECISION_ONLY = ("gcnii", "elastic")


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
        weight_quantizer: How weights are quantized.
        input_quantizer: How input features are quantized; by default as the weights.
        per_channel_weights: Whether each output feature has a range of weights of its own.
        momentum: Weight of the newest range in a tracked one.
        propagation: Which propagation; the baselines take their number of layers or steps, the
            restart and the smoothing from it.
        architecture: ``decoupled``: :class:`QuantizedGNN`; the others are baselines.
        residual: Whether each hidden layer adds its input (``gcn``).
        identity_mapping: How much the layers differ from the identity (``gcnii``).
        sparsity: Weight of the norm of the neighbours' differences (``elastic``).

    Raises:
        ValueError: If an argument is out of range, or the architecture knows full precision only.
    """

    hidden_features: int = 64
    dropout: float = 0.5
    order: NetworkOrder = "encode"
    precision: Precision = field(default_factory=Precision)
    quantizer: QuantizerName = "least_squares"
    weight_quantizer: QuantizerName = "learned_range"
    input_quantizer: QuantizerName | None = None
    per_channel_weights: bool = True
    momentum: float = 0.1
    propagation: PropagationConfig = field(default_factory=PropagationConfig)
    architecture: ArchitectureName = "decoupled"
    residual: bool = False
    identity_mapping: float = 0.5
    sparsity: float = 3.0

    def __post_init__(self) -> None:
        if self.hidden_features < 1:
            raise ValueError(f"hidden_features must be at least 1, got {self.hidden_features}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")
        if self.order not in ("encode", "embed"):
            raise ValueError(f"order must be 'encode' or 'embed', got {self.order!r}")
        self._check_architecture()

    @property
    def features_quantizer(self) -> QuantizerName:
        """How input features are quantized."""
        return self.input_quantizer or self.weight_quantizer

    def _check_architecture(self) -> None:
        choices = get_args(ArchitectureName)
        if self.architecture not in choices:
            raise ValueError(f"architecture must be one of {choices}, got {self.architecture!r}")
        if self.architecture in _FULL_PRECISION_ONLY and not self.precision.full:
            raise ValueError(
                f"bits must be 'float32' for architecture {self.architecture!r}, "
                f"got {self.precision}"
            )
        if not self.identity_mapping > 0:
            raise ValueError(f"identity_mapping must be positive, got {self.identity_mapping}")
        if not self.sparsity >= 0:
            raise ValueError(f"sparsity must be at least 0, got {self.sparsity}")


class GraphNetwork(nn.Module, ABC):
    """What every network can do.

    Args:
        config: What it was made of.

    Shapes:
        x: ``(num_nodes, num_features)``, dense or torch.sparse CSR;
        output: ``(num_nodes, num_classes)`` scores.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def num_steps(self) -> int:
        """Number of layers or steps in which neighbours hear of each other."""
        return self.config.propagation.num_steps

    @abstractmethod
    def forward(self, x: Tensor, graph: Tensor | Adjacency) -> Tensor:
        """Class scores.

        Args:
            x: Features of the nodes.
            graph: PyG's ``edge_index``, or an :class:`Adjacency` built once.
        """

    def views(self, x: Tensor, graph: Tensor | Adjacency, count: int) -> Tensor:
        """Class scores of several passes, which differ by what dropout drops.

        Args:
            x: Features of the nodes.
            graph: PyG's ``edge_index``, or an :class:`Adjacency` built once.
            count: Number of passes.

        Shapes:
            x: ``(num_nodes, num_features)`` -> ``(count, num_nodes, num_classes)``.
        """
        return torch.stack([self(x, graph) for _ in range(count)])

    @abstractmethod
    def representations(self, x: Tensor, adjacency: Adjacency) -> Iterator[Tensor]:
        """What the first layer or step starts from, and the result of each of them.

        Shapes:
            x: ``(num_nodes, num_features)``; yields ``num_steps + 1`` times ``(num_nodes, ...)``.
        """


class PropagatingNetwork(GraphNetwork):
    """A network with one quantized propagation, which its constructor sets.

    Args:
        config: What it was made of.
    """

    propagation: Propagation

    @abstractmethod
    def propagation_input(self, x: Tensor) -> Tensor:
        """What the propagation starts from: class scores or hidden features.

        Shapes:
            x: ``(num_nodes, num_features)`` -> ``(num_nodes, num_classes or hidden_features)``.
        """

    def representations(self, x: Tensor, adjacency: Adjacency) -> Iterator[Tensor]:
        start = self.propagation_input(x)
        yield start
        for step in self.propagation.steps(start, adjacency):
            yield step.after.representation() * adjacency.sqrt_degree


class QuantizedGNN(PropagatingNetwork):
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
        super().__init__(config)
        bits = config.precision
        features = make_quantizer(config.features_quantizer, bits.input, config.momentum)
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
        return in_row_blocks(self._encode, x) if evaluates(self) else self._encode(x)

    def _encode(self, x: Tensor) -> Tensor:
        hidden = torch.relu_(self.encoder(x))
        scores: Tensor = self.classifier(hidden) if self.config.order == "encode" else hidden
        return scores

    def forward(self, x: Tensor, graph: Tensor | Adjacency) -> Tensor:
        return self._side_by_side(x, graph, 1)[0]

    def views(self, x: Tensor, graph: Tensor | Adjacency, count: int) -> Tensor:
        if self.config.propagation.budget_unit == "per_edge":  # a budget for one view, not for all
            return super().views(x, graph, count)
        return torch.stack(self._side_by_side(x, graph, count))

    def _side_by_side(self, x: Tensor, graph: Tensor | Adjacency, count: int) -> list[Tensor]:
        """Class scores of several passes, with the columns of all in one propagation."""
        adjacency = as_adjacency(graph, x)
        self._protect(x, adjacency)
        starts = [self.propagation_input(x) for _ in range(count)]
        start = starts[0] if count == 1 else torch.cat(starts, dim=1)
        propagated = list(self.propagation(start, adjacency).chunk(count, dim=1))
        if self.config.order == "encode":
            return propagated
        if evaluates(self):
            return [in_row_blocks(self.classifier, one) for one in propagated]
        return [self.classifier(one) for one in propagated]

    def _protect(self, x: Tensor, adjacency: Adjacency) -> None:
        quantizers = [self.classifier.input_quantizer]
        if x.layout == torch.strided:  # the values of a sparse input are not rows of nodes
            quantizers.append(self.encoder.input_quantizer)
        protect(quantizers, adjacency.degree)
