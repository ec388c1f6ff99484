"""What a quantizer hands on: the codes and the scale, or the grid they come from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from qgnn_lightning.quantization._functional import affine_codes, truncated_codes


@dataclass(frozen=True, eq=False)
class Quantized:
    """A tensor as integers times a scale.

    Args:
        centred: Codes minus the zero point, so that 0 stands for real 0: whole numbers in
            floating point, with a straight-through gradient.
        scale: What one code is worth, broadcastable to ``centred``; ``None`` where the tensor
            was not quantized, and ``centred`` is the tensor itself.
    """

    centred: Tensor
    scale: Tensor | None

    @property
    def value(self) -> Tensor:
        """The real numbers that the codes stand for."""
        return self.centred if self.scale is None else self.centred * self.scale


@dataclass(frozen=True, eq=False)
class Grid:
    r"""The levels that a quantizer can return.

    .. math:: \text{scale} \cdot (\text{stride} \cdot q - \text{zero\_point})

    ``stride`` is 1 for an affine grid and 85 for bitwise truncation, whose two-bit codes stand
    for four of the 256 codes of an affine 8-bit grid.

    Args:
        num_bits: Bits of a code :math:`q` in :math:`0 \dots 2^{b}-1`.
        scale: What one step of the fine grid is worth; one value, or one per channel.
        zero_point: Fine code of real 0, whole numbers, shaped as ``scale``.
        stride: Fine codes between two neighbouring levels.
        shift: Added to the fine code before it is truncated (skewness-aware truncation).
    """

    num_bits: int
    scale: Tensor
    zero_point: Tensor
    stride: int = 1
    shift: int = 0

    @property
    def quant_max(self) -> int:
        """The largest code."""
        return int(2**self.num_bits - 1)

    def centred_codes(self, x: Tensor) -> Tensor:
        """Centred codes of ``x``; see :func:`affine_codes`.

        Shapes:
            x: any that the scale broadcasts to -> same.
        """
        if self.stride == 1:
            return affine_codes(x, self.scale, self.zero_point, self.num_bits)
        return truncated_codes(x, self.scale, self.zero_point, self.shift)

    def codes(self, x: Tensor) -> Tensor:
        """Codes of ``x`` in 0 ... 2^b - 1, uint8.

        Shapes:
            x: any that the scale broadcasts to -> same.
        """
        with torch.no_grad():
            fine = self.centred_codes(x) + self.zero_point
            return (fine / self.stride).round_().to(torch.uint8)

    @property
    def levels(self) -> Tensor:
        """All values of the grid, ascending along the last dimension."""
        codes = torch.arange(self.quant_max + 1, device=self.scale.device, dtype=self.scale.dtype)
        return (codes * self.stride - self.zero_point[..., None]) * self.scale[..., None]
