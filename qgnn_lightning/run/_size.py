"""How many bytes a network takes."""

from __future__ import annotations

import math

from torch import nn

from qgnn_lightning.nn import QuantizedLinear
from qgnn_lightning.quantization import Quantizer

_FLOAT_BYTES = 4
#: Of a scale and a zero point.
_GRID_BYTES = 8


def float32_size(network: nn.Module) -> int:
    """Bytes of the weights and biases in full precision.

    Args:
        network: The network.
    """
    return sum(
        _FLOAT_BYTES * (layer.weight.numel() + layer.bias.numel()) for layer in _linears(network)
    )


def packed_size(network: nn.Module) -> int:
    """Bytes of the packed network: weights at their bits, biases and grids in full.

    Each row of a weight starts at a whole byte; the format's headers and padding come on top.

    Args:
        network: The network.
    """
    layers = sum(_packed_layer(layer) for layer in _linears(network))
    quantizers = [module for module in network.modules() if isinstance(module, Quantizer)]
    return layers + _GRID_BYTES * sum(_num_grids(quantizer) for quantizer in quantizers)


def _linears(network: nn.Module) -> list[QuantizedLinear]:
    return [module for module in network.modules() if isinstance(module, QuantizedLinear)]


def _packed_layer(layer: QuantizedLinear) -> int:
    bits = layer.weight_quantizer.num_bits
    row = math.ceil(layer.in_features * bits / 8)
    return layer.out_features * row + _FLOAT_BYTES * layer.bias.numel()


def _num_grids(quantizer: Quantizer) -> int:
    """Grids of a quantizer: one, or one per channel."""
    return max((buffer.numel() for buffer in quantizer.buffers()), default=0)
