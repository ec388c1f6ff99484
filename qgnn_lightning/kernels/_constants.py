"""Constants of a propagation, computed once so that every backend uses the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from . import fixed_point
from ._grid import GridTable


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
    """Constants of all steps, one entry per step; where a step has no next one, 0.

    Args:
        inv_scale: ``1 / scale``, float32.
        gain: ``message * scale``, float32.
        unit: What a unit of fixed point is worth, float32.
        inv_unit: Its inverse, float32.
        message_gain: From means of centred codes to units of the next step, float32.
        ratio: From units of the residual to those of the next step, float64; the first residual
            is in these already.
        inv_restart_unit: Inverse of the unit of the input's share in the direct form, the largest
            unit from the second step on; float32.
        restart_ratio: From these units to those of the next step, float64.
    """

    inv_scale: Tensor
    gain: Tensor
    unit: Tensor
    inv_unit: Tensor
    message_gain: Tensor
    ratio: Tensor
    inv_restart_unit: Tensor
    restart_ratio: Tensor

    @classmethod
    def of(cls, table: GridTable, message: float) -> StepConstants:
        """Return the constants of a table of grids; not to be written to."""
        return _constants(tuple(table.scale.tolist()), table.level_bits, message)


@lru_cache(maxsize=64)
def _constants(scales: tuple[float, ...], level_bits: int, message: float) -> StepConstants:
    scale = torch.tensor(scales, dtype=torch.float32, device="cpu")
    codes = float(1 << fixed_point.fraction_bits(level_bits))
    inv_scale = 1.0 / scale
    largest = scale[-(len(scale) - 1) :].max()
    ratio = fixed_point.unit_ratio(scale[:-1], scale[1:])
    ratio[:1] = 1.0

    def to_next(values: Tensor) -> Tensor:
        return functional.pad(values, (0, 1))

    return StepConstants(
        inv_scale=inv_scale,
        gain=scale * message,
        unit=scale / codes,
        inv_unit=inv_scale * codes,
        message_gain=to_next(fixed_point.message_gain(scale[:-1], scale[1:], message, level_bits)),
        ratio=to_next(ratio),
        inv_restart_unit=1.0 / (largest / codes),
        restart_ratio=to_next(fixed_point.unit_ratio(largest, scale[1:])),
    )


@lru_cache(maxsize=64)
def start_weight(own: float, restart: float) -> float:
    """Weight of the input in the first change of the delta-sigma form, ``own + restart - 1``."""
    return torch.tensor(own + restart - 1.0, dtype=torch.float32, device="cpu").item()
