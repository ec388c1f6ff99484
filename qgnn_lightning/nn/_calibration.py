"""Scales of the messages of a network that is not trained for its bits."""

from __future__ import annotations

import torch
from torch import Tensor

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn._error_bound import error_bound
from qgnn_lightning.nn._propagation import Propagation
from qgnn_lightning.quantization import LeastSquaresQuantizer

#: Common fractions of the ranges that are tried, from 0.1 to 1.
_FRACTIONS = [0.1 * 1.08**power for power in range(30)] + [1.0]


@torch.no_grad()
def calibrate(propagation: Propagation, x: Tensor, adjacency: Adjacency) -> None:
    """Set the ranges and scales of the messages from one input; nothing is trained.

    One pass sets every step's range, and the scale that is best for its message alone. Over many
    steps one common fraction of the ranges can be better: delta-sigma messages make up for the
    error of earlier ones. Kept is what has the smallest error after the last step.

    Args:
        propagation: A propagation with quantized messages; it is left in evaluation mode.
        x: What is propagated.
        adjacency: The graph, symmetric.

    Shapes:
        x: ``(num_nodes, num_features)``.

    Raises:
        ValueError: If the error of the propagation cannot be measured; see `error_bound`.
    """
    propagation.train()(x, adjacency)
    propagation.eval()
    quantizers = [
        one for one in propagation.messages.quantizers if isinstance(one, LeastSquaresQuantizer)
    ]
    candidates = [[one.fraction.clone() for one in quantizers]]
    candidates += [
        [torch.full_like(one.fraction, fraction) for one in quantizers] for fraction in _FRACTIONS
    ]
    errors = []
    for candidate in candidates:
        _set(quantizers, candidate)
        errors.append(float(error_bound(propagation, x, adjacency).measured[-1]))
    _set(quantizers, candidates[errors.index(min(errors))])


def _set(quantizers: list[LeastSquaresQuantizer], fractions: list[Tensor]) -> None:
    for quantizer, fraction in zip(quantizers, fractions, strict=True):
        quantizer.fraction.copy_(fraction)
