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
    return sum(_FLOAT_BYTES * weight.numel() for weight in _weights(network))


def packed_size(network: nn.Module) -> int:
    """Bytes of the packed network: weights at their bits, biases and grids in full.

    Each row of a weight starts at a whole byte; the format's headers and padding come on top.
    What no quantized layer holds counts in full.

    Args:
        network: The network.
    """
    layers = [module for module in network.modules() if isinstance(module, QuantizedLinear)]
    saved = sum(_FLOAT_BYTES * layer.weight.numel() - _packed_weight(layer) for layer in layers)
    quantizers = [module for module in network.modules() if isinstance(module, Quantizer)]
    grids = _GRID_BYTES * sum(_num_grids(quantizer) for quantizer in quantizers)
    return float32_size(network) - saved + grids


def _weights(network: nn.Module) -> list[nn.Parameter]:
    """All parameters but those of the quantizers, which end up in their grids."""
    ranges = {
        id(parameter)
        for module in network.modules()
        if isinstance(module, Quantizer)
        for parameter in module.parameters()
    }
    return [parameter for parameter in network.parameters() if id(parameter) not in ranges]


def _packed_weight(layer: QuantizedLinear) -> int:
    bits = layer.weight_quantizer.num_bits
    return layer.out_features * math.ceil(layer.in_features * bits / 8)


def _num_grids(quantizer: Quantizer) -> int:
    """Grids of a quantizer: one, or one per channel."""
    return max((buffer.numel() for buffer in quantizer.buffers()), default=0)
