"""Float32 constants of a propagation, computed once so that every backend uses the same ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ._grid import GridTable

RESIDUAL_FRACTION = {16: 10, 8: 5}
RESIDUAL_LIMIT = {16: 32767, 8: 127}


@dataclass(frozen=True)
class StepCoefficients:
    r"""Weights of one propagation step, :math:`H_{k+1} = a H_k + b \hat A H_k + e X_0`.

    With step size :math:`\eta` and smoothing :math:`\mu`: :math:`a = 1 - \eta(1 + \mu)`,
    :math:`b = \eta\mu`, :math:`e = \eta`.

    Args:
        own: Weight :math:`a` of the node's own representation; 0 is the fast path.
        message: Weight :math:`b` of the neighbours.
        restart: Weight :math:`e` of the input.

    Raises:
        ValueError: If a weight is not finite, or too small or large to be computed with.
    """

    own: float
    message: float
    restart: float

    def __post_init__(self) -> None:
        for name in ("own", "message", "restart"):
            value = getattr(self, name)
            if value != 0 and not 2.0**-60 <= abs(value) <= 2.0**60:
                raise ValueError(f"{name} must be 0 or of size 2**-60..2**60, got {value}")


@dataclass(frozen=True, eq=False)
class StepConstants:
    """Constants of all steps, float32, one entry per step.

    Args:
        inv_scale: ``1 / scale``.
        gain: ``message * scale``, both in float32.
        residual_unit: ``scale * 2 ** -f`` with ``f`` fraction bits.
        inv_residual_unit: ``inv_scale * 2 ** f``.
    """

    inv_scale: Tensor
    gain: Tensor
    residual_unit: Tensor
    inv_residual_unit: Tensor

    @classmethod
    def of(cls, table: GridTable, message: float, residual_bits: int) -> StepConstants:
        """Compute the constants of a table of grids."""
        inv_scale = 1.0 / table.scale
        fraction = float(1 << RESIDUAL_FRACTION[residual_bits])
        return cls(
            inv_scale=inv_scale,
            gain=table.scale * message,
            residual_unit=table.scale / fraction,
            inv_residual_unit=inv_scale * fraction,
        )


def start_weight(own: float, restart: float) -> float:
    """Weight of the input in the first change of the delta-sigma form, ``own + restart - 1``."""
    return torch.tensor(own + restart - 1.0, dtype=torch.float32).item()
