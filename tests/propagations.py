"""Propagations and their messages for the tests, calibrated on what they will see."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from qgnn_lightning.constraints import EdgeBudget
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import (
    DeltaSigmaMessages,
    DirectMessages,
    Messages,
    Propagation,
    Recurrence,
    SmoothnessAwarePropagation,
)
from qgnn_lightning.quantization import IdentityQuantizer, MinMaxQuantizer, Quantizer

STEP_SIZE = 0.1
#: The largest multiplier for which a correction can only lower the energy of the change.
LARGEST_MULTIPLIER = 1 / (4 * STEP_SIZE)


def direct(num_steps: int, num_bits: int = 32) -> DirectMessages:
    """Direct messages over tracked ranges; 32 bits are full precision."""
    return DirectMessages(*(quantizers(num_steps, num_bits) for _ in range(2)))


def delta_sigma(
    num_steps: int, num_bits: int = 32, residual_bits: int | None = None
) -> DeltaSigmaMessages:
    """Delta-sigma messages over tracked ranges; 32 bits are full precision."""
    return DeltaSigmaMessages(
        *(quantizers(num_steps, num_bits) for _ in range(2)), residual_bits=residual_bits
    )


def quantizers(num_steps: int, num_bits: int) -> list[Quantizer]:
    if num_bits == 32:
        return [IdentityQuantizer() for _ in range(num_steps)]
    return [MinMaxQuantizer(num_bits) for _ in range(num_steps)]


def constrained(
    messages: Messages,
    multipliers: Sequence[float] | None = None,
    *,
    smoothing: float = 9.0,
    step_size: float = STEP_SIZE,
    recurrence: Recurrence | None = None,
    make: Callable[..., Propagation] = SmoothnessAwarePropagation,
    budget: float = 0.1,
    dual_step_size: float = 0.01,
) -> Propagation:
    """A constrained propagation with given multipliers, perhaps of other coefficients."""
    propagation = make(messages, smoothing, step_size, EdgeBudget(budget), dual_step_size)
    if recurrence is not None:
        propagation.recurrence = recurrence
    if multipliers is not None:
        propagation.double().multipliers.value.copy_(torch.tensor(multipliers))
    return propagation


def calibrated(
    propagation: Propagation, x: Tensor, adjacency: Adjacency, fraction: float = 0.7183
) -> Propagation:
    """The propagation in the type of ``x``, after one training pass, in evaluation mode.

    The tracked ranges are narrowed to a fraction, so that some messages are clipped. Each by an
    odd one of its own: sums of levels of one step never lie midway between two levels of another,
    where rounding errors would decide.
    """
    propagation.to(x.dtype).train()
    with torch.no_grad():
        propagation(x, adjacency)
        ranges = [m.range for m in propagation.modules() if isinstance(m, MinMaxQuantizer)]
        for position, tracked in enumerate(ranges):
            tracked.minimum *= fraction * 0.99731**position
            tracked.maximum *= fraction * 0.99731**position
    return propagation.eval().requires_grad_(False)
