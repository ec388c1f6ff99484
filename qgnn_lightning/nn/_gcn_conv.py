"""Graph convolution with quantized features, weights and messages."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn._linear import QuantizedLinear
from qgnn_lightning.nn._propagation import as_adjacency
from qgnn_lightning.nn._step import receive
from qgnn_lightning.quantization import (
    Precision,
    Quantizer,
    QuantizerName,
    as_precision,
    make_quantizer,
    protect,
)


class QuantizedGCNConv(nn.Module):
    r"""Graph convolution that takes the place of PyG's ``GCNConv``.

    .. math:: X' = \hat A X W + b = D^{1/2}\, D^{-1} A' \operatorname{quantize}(D^{-1/2} X W) + b

    Features and weights are quantized first and dropped out after; the sum over the neighbours
    is one of codes. In full precision it is PyG's layer. It counts duplicate edges once, and
    an :class:`~qgnn_lightning.graph.Adjacency` built once takes the place of ``cached``.

    Source: Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional
    Networks", ICLR 2017.

    Args:
        in_channels: Size of the input.
        out_channels: Size of the output.
        bias: Whether there is a bias.
        precision: Bits of the stages, or the name of a preset such as ``int4``; full precision by
            default. The features have those of ``activation``.
        quantizer: How features, messages, aggregates and updates are quantized.
        weight_quantizer: How weights are quantized.
        input_quantizer: How features are quantized, where otherwise than by ``quantizer``.
        per_channel_weights: Whether each output feature has a range of weights of its own.
        momentum: Weight of the newest range in a tracked one.
        dropout: Probability to drop a quantized feature while training, in [0, 1).

    Shapes:
        x: ``(num_nodes, in_channels)``, dense or torch.sparse CSR ->
        ``(num_nodes, out_channels)``.

    Raises:
        ValueError: If ``dropout`` is outside [0, 1), or ``precision`` is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        bias: bool = True,
        precision: Precision | str | None = None,
        quantizer: QuantizerName = "least_squares",
        weight_quantizer: QuantizerName = "learned_range",
        input_quantizer: QuantizerName | None = None,
        per_channel_weights: bool = True,
        momentum: float = 0.1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        bits = as_precision(precision)

        def make(num_bits: int) -> Quantizer:
            return make_quantizer(quantizer, num_bits, momentum)

        channels = out_channels if per_channel_weights else None
        self.lin = QuantizedLinear(
            in_channels,
            out_channels,
            make_quantizer(input_quantizer or quantizer, bits.activation, momentum),
            make_quantizer(weight_quantizer, bits.weight, momentum, channels),
            dropout,
            bias=False,
        )
        if bias:
            self.bias = nn.Parameter(torch.empty(out_channels))
        else:
            self.register_parameter("bias", None)
        self.message_quantizer = make(bits.message)
        self.aggregate_quantizer = make(bits.aggregate)
        self.update_quantizer = make(bits.update)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights as PyG's layer does (Glorot); the bias starts at 0."""
        nn.init.xavier_uniform_(self.lin.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(
        self, x: Tensor, edge_index: Tensor | Adjacency, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Convolve.

        Args:
            x: Features of the nodes.
            edge_index: PyG's ``edge_index``, or an :class:`Adjacency` built once.
            edge_weight: Positive weights of the edges, for an ``edge_index``.

        Raises:
            ValueError: If there are weights beside an :class:`Adjacency`, which has its own.
        """
        if edge_weight is None:
            adjacency = as_adjacency(edge_index, x)
        elif isinstance(edge_index, Adjacency):
            raise ValueError("edge_weight must be None where edge_index is an Adjacency")
        else:
            adjacency = Adjacency.from_edge_index(
                edge_index, x.shape[0], edge_weight, dtype=x.dtype
            )
        self._protect(x, adjacency)
        sent = self.message_quantizer(self.lin(x) * adjacency.inv_sqrt_degree)
        received = self.aggregate_quantizer(receive(adjacency, sent) * adjacency.sqrt_degree).value
        updated = received if self.bias is None else received + self.bias
        result: Tensor = self.update_quantizer(updated).value
        return result

    def _protect(self, x: Tensor, adjacency: Adjacency) -> None:
        quantizers = [self.message_quantizer, self.aggregate_quantizer, self.update_quantizer]
        if x.layout == torch.strided:  # the values of a sparse input are not rows of nodes
            quantizers.append(self.lin.input_quantizer)
        protect(quantizers, adjacency.degree)
