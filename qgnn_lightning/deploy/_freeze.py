"""From a trained network to a packed one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from qgnn_lightning import kernels
from qgnn_lightning.deploy._packed_network import (
    PACKED_BITS,
    PackedGNN,
    PackedLinear,
    PackedPropagation,
)
from qgnn_lightning.nn import (
    DeltaSigmaMessages,
    GraphNetwork,
    Propagation,
    QuantizedGNN,
    QuantizedLinear,
)
from qgnn_lightning.quantization import Grid, Quantizer

#: A packed file is small; the names of more columns would be most of it.
_MOST_COLUMN_NAMES = 256
#: What is in codes in a packed network.
_STAGES = ("input", "weight", "activation", "message")


@torch.no_grad()
def freeze(
    network: GraphNetwork,
    class_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
) -> PackedGNN:
    """Pack a trained network: weights, input and messages become integers of their bits.

    The packed network's codes and integer sums equal those of ``network`` in evaluation mode.

    Args:
        network: A trained network whose operand stages all have 2, 4 or 8 bits.
        class_names: What its classes are called, where they have names.
        column_names: What its features are called, where they have names. More than 256 of them
            are left out, so that the file stays small: features are then taken in their order.

    Raises:
        ValueError: If it is no :class:`QuantizedGNN`, a stage has other bits, or the propagation
            has no packed form (unrolled multipliers, quantized aggregates or updates), or the
            names are not one per class or feature.
        RuntimeError: If the network was never trained.
    """
    check_packable(network)
    assert isinstance(network, QuantizedGNN)
    if column_names is not None and len(column_names) > _MOST_COLUMN_NAMES:
        column_names = None
    return PackedGNN(
        order=network.config.order,
        encoder=_linear(network.encoder),
        classifier=_linear(network.classifier),
        propagation=_propagation(network.propagation),
        class_names=None if class_names is None else tuple(class_names),
        column_names=None if column_names is None else tuple(column_names),
    )


def check_packable(network: GraphNetwork) -> None:
    """Refuse a network, trained or not, that `freeze` has no packed form for.

    Args:
        network: The network.

    Raises:
        ValueError: As `freeze`.
    """
    if not isinstance(network, QuantizedGNN):
        raise ValueError(
            f"architecture {network.config.architecture!r} in {network.config.precision} cannot "
            "be packed: only two quantized linear layers and a propagation can"
        )
    bits = {stage: getattr(network.config.precision, stage) for stage in _STAGES}
    if all(number == 32 for number in bits.values()):
        raise ValueError(
            "a network in full precision cannot be packed: train one with bits int8, int4 or int2"
        )
    for stage, number in bits.items():
        if number not in PACKED_BITS:
            raise ValueError(
                f"bits of {stage} must be 2, 4 or 8 for the network to be packed, got {number}"
            )
    propagation = network.propagation
    unrolled = propagation.correction_strengths() is None
    if unrolled or not propagation.messages.only_messages_are_rounded:
        raise ValueError(
            "a propagation with unrolled multipliers, or with aggregate or update below 32 bits, "
            "cannot be packed"
        )


def _grid(quantizer: torch.nn.Module) -> Grid:
    assert isinstance(quantizer, Quantizer)
    grid = quantizer.grid()
    assert grid is not None
    return grid


def _linear(layer: QuantizedLinear) -> PackedLinear:
    grid = _grid(layer.weight_quantizer)
    return PackedLinear(
        in_features=layer.in_features,
        weight=kernels.pack(grid.codes(layer.weight), grid.num_bits),
        weight_grid=grid,
        bias=layer.bias.detach().clone(),
        input_grid=_grid(layer.input_quantizer),
    )


def _propagation(propagation: Propagation) -> PackedPropagation:
    strengths = propagation.correction_strengths()
    messages = propagation.messages
    assert strengths is not None
    delta_sigma = isinstance(messages, DeltaSigmaMessages)
    residual_bits = messages.residual_bits if isinstance(messages, DeltaSigmaMessages) else None
    return PackedPropagation(
        form="delta_sigma" if delta_sigma else "direct",
        recurrence=propagation.recurrence,
        grids=tuple(_grid(quantizer) for quantizer in messages.quantizers),
        residual_bits=residual_bits or 16,
        strengths=tuple(strengths),
        change_grids=tuple(
            _grid(messages.change_quantizers[index]) if strength else None
            for index, strength in enumerate(strengths)
        ),
    )
