"""How many bytes a network takes."""

from __future__ import annotations

import math

from torch import nn

from qgnn_lightning.data import GraphNames
from qgnn_lightning.deploy import check_packable, packed_file_size
from qgnn_lightning.nn import GraphNetwork, QuantizedLinear
from qgnn_lightning.quantization import Quantizer
from qgnn_lightning.run._packed_export import packed_copy

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
    """Bytes of codes, biases and grids, for any architecture and any bits.

    Each row of a weight starts at a whole byte. What no quantized layer holds counts in full.
    For what can be written to a packed file, :func:`file_size` tells the bytes of that file, with
    its header and padding.

    Args:
        network: The network.
    """
    layers = [module for module in network.modules() if isinstance(module, QuantizedLinear)]
    saved = sum(_FLOAT_BYTES * layer.weight.numel() - _packed_weight(layer) for layer in layers)
    quantizers = [module for module in network.modules() if isinstance(module, Quantizer)]
    grids = _GRID_BYTES * sum(_num_grids(quantizer) for quantizer in quantizers)
    return float32_size(network) - saved + grids


def file_size(network: GraphNetwork, names: GraphNames) -> int | None:
    """Bytes of the packed file of a trained network; ``None`` where it has no packed form.

    Args:
        network: The network.
        names: What its classes and features are called, which the file holds too.
    """
    try:
        check_packable(network)
    except ValueError:
        return None
    return packed_file_size(packed_copy(network, names))


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
