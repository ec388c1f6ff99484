"""The grid of one propagation step: which reals its codes stand for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ._tracing import is_traced
from .layout import SUPPORTED_BITS

TRUNCATED_STRIDE = 85


@dataclass(frozen=True)
class Grid:
    r"""Codes :math:`q = 0 \dots 2^b - 1` and the reals they stand for.

    The centred code is :math:`c = m q - z` with zero point :math:`z` and stride :math:`m`, the
    value :math:`s c`. With stride 1 (affine)

    .. math:: c = \mathrm{clamp}(\mathrm{rint}(v \cdot s^{-1}), -z, 2^b - 1 - z).

    With stride 85 (bitwise truncation, 2 bits) :math:`z` belongs to the code of 8 bits
    :math:`c_8 = \mathrm{clamp}(\mathrm{rint}(v / s), -z, 255 - z) + z`, which is shifted, clamped
    to 0 .. 255, and rounded to :math:`q = \lfloor (c_8 + 42) / 85 \rfloor`.

    Source: design of the packed inference; Wang et al., CIKM 2023 (truncation).

    Args:
        num_bits: 2, 4 or 8.
        scale: Step :math:`s`, finite and above 0.
        zero_point: Integer in 0 .. ``2 ** num_bits - 1``, with stride 85 in 0 .. 255.
        stride: 1, or 85 for bitwise truncation to 2 bits.
        shift: Integer added to the code of 8 bits before truncation; 0 with stride 1.

    Raises:
        ValueError: If a value is out of range.
    """

    num_bits: int
    scale: float
    zero_point: int
    stride: int = 1
    shift: int = 0

    def __post_init__(self) -> None:
        if self.num_bits not in SUPPORTED_BITS:
            raise ValueError(f"num_bits must be one of {SUPPORTED_BITS}, got {self.num_bits}")
        if not _is_usable_scale(self.scale):
            raise ValueError(
                "scale must be a float32 above 0 with a finite inverse, both normal numbers, "
                f"got {self.scale}"
            )
        if self.stride not in (1, TRUNCATED_STRIDE):
            raise ValueError(f"stride must be 1 or {TRUNCATED_STRIDE}, got {self.stride}")
        if self.stride != 1 and self.num_bits != 2:
            raise ValueError(f"stride {self.stride} needs num_bits 2, got {self.num_bits}")
        if not 0 <= self.zero_point <= self.max_level:
            raise ValueError(f"zero_point must be in 0..{self.max_level}, got {self.zero_point}")
        if self.shift != 0 and self.stride == 1:
            raise ValueError(f"shift must be 0 with stride 1, got {self.shift}")
        if abs(self.shift) > 255:
            raise ValueError(f"shift must be in -255..255, got {self.shift}")

    @property
    def max_level(self) -> int:
        """Largest level that is clamped to: the largest code, or 255 before truncation."""
        return (1 << self.num_bits) - 1 if self.stride == 1 else 255


def _is_usable_scale(scale: float) -> bool:
    tiny, huge = 2.0**-100, 2.0**100
    return math.isfinite(scale) and tiny <= scale <= huge


@dataclass(frozen=True, eq=False)
class GridTable:
    """The grids of all steps as tensors, the form in which they enter an operator.

    Args:
        num_bits: Bits of every step.
        truncated: Whether the stride is 85 instead of 1.
        scale: float32 ``[num_steps]``.
        zero_point: int32 ``[num_steps]``.
        shift: int32 ``[num_steps]``.
    """

    num_bits: int
    truncated: bool
    scale: Tensor
    zero_point: Tensor
    shift: Tensor

    @classmethod
    def from_grids(cls, grids: Sequence[Grid]) -> GridTable:
        """Collect one grid per step; the tensors are not to be written to.

        Raises:
            ValueError: If there is no grid, or they differ in ``num_bits`` or ``stride``.
        """
        make = _table.__wrapped__ if is_traced() else _table
        return make(tuple(grids))

    @property
    def num_steps(self) -> int:
        """Number of steps."""
        return self.scale.numel()

    @property
    def level_bits(self) -> int:
        """Bits of the levels, which truncation makes codes of."""
        return 8 if self.truncated else self.num_bits

    @property
    def stride(self) -> int:
        """Distance of neighbouring centred codes."""
        return TRUNCATED_STRIDE if self.truncated else 1


@lru_cache(maxsize=64)
def _table(grids: tuple[Grid, ...]) -> GridTable:
    if not grids:
        raise ValueError("grids must hold one grid per step, at least 1, got 0")
    for name in ("num_bits", "stride"):
        values = sorted({getattr(grid, name) for grid in grids})
        if len(values) > 1:
            raise ValueError(f"grids must share one {name}, got {values}")
    with torch.device("cpu"):  # whatever the default is
        return GridTable(
            num_bits=grids[0].num_bits,
            truncated=grids[0].stride != 1,
            scale=torch.tensor([grid.scale for grid in grids], dtype=torch.float32),
            zero_point=torch.tensor([grid.zero_point for grid in grids], dtype=torch.int32),
            shift=torch.tensor([grid.shift for grid in grids], dtype=torch.int32),
        )
