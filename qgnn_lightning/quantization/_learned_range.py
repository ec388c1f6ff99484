"""QLR: the range is a learned fraction of the tracked one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from qgnn_lightning.quantization._functional import affine_codes, scale_gradient
from qgnn_lightning.quantization._grid import Grid, Quantized
from qgnn_lightning.quantization._quantizer import Quantizer
from qgnn_lightning.quantization._running_range import RunningRange
from qgnn_lightning.quantization._search import best_fraction, candidate_fractions

_SMALLEST_FRACTION = 0.01


class LearnedFraction(nn.Module):
    r"""The trained parameter :math:`\alpha` of a learned range, found by a search at first.

    Its gradient is scaled by :math:`1/\sqrt{\text{numel} \cdot q_{max}}` (Esser et al. 2020,
    section 2.2), so that one learning rate suits tensors of any size.

    Args:
        num_bits: Bits, which set the candidates of the search and :math:`q_{max}`.
        num_channels: Number of rows with a fraction of their own, or ``None`` for one.
        threshold: Results of the search below it are raised by 0.1.
    """

    def __init__(self, num_bits: int, num_channels: int | None, threshold: float) -> None:
        super().__init__()
        self.num_bits = num_bits
        self.threshold = threshold
        self.per_channel = num_channels is not None
        shape = () if num_channels is None else (num_channels, 1)
        self.alpha = nn.Parameter(torch.ones(shape))

    def initialize(self, x: Tensor, fake_quantize: Any) -> None:
        """Search the best fraction for ``x``."""
        candidates = candidate_fractions(self.num_bits)
        best = best_fraction(x, fake_quantize, candidates, per_channel=self.per_channel)
        best = torch.where(best < self.threshold, best + 0.1, best)
        with torch.no_grad():
            self.alpha.copy_(best)

    def forward(self, numel: int) -> Tensor:
        """The fraction, for a tensor of ``numel`` elements."""
        per_range = max(1, numel // self.alpha.numel())
        factor = (per_range * (2**self.num_bits - 1)) ** -0.5
        return scale_gradient(self.alpha, factor).clamp(min=_SMALLEST_FRACTION)


class LearnedRangeQuantizer(Quantizer):
    r"""QLR: affine grid over a learned fraction :math:`\alpha` of the tracked range.

    .. math:: s = \alpha \,(\max(x, 0) - \min(x, 0)) / (2^b - 1)

    The zero point depends on the tracked range alone. Source: Wang et al., CIKM 2023
    (quantization with learnable ranges).

    Args:
        num_bits: Bits :math:`b` of a code.
        momentum: Weight of the newest range.
        num_channels: Number of rows with a grid of their own, or ``None`` for one grid.
    """

    def __init__(
        self, num_bits: int, momentum: float = 0.1, num_channels: int | None = None
    ) -> None:
        super().__init__()
        self._num_bits = num_bits
        self.range = RunningRange(momentum, num_channels)
        self.fraction = LearnedFraction(num_bits, num_channels, threshold=0.1)

    @property
    def num_bits(self) -> int:
        return self._num_bits

    def observe(self, x: Tensor) -> None:
        first = not self.range.initialized
        self.range.update(x)
        if first and self.range.initialized:
            self.fraction.initialize(x, self._fake_quantize_at)

    def _fake_quantize_at(self, x: Tensor, fraction: float) -> Tensor:
        scale, zero_point = self.range.grid(self.num_bits)
        scale = scale * fraction
        return affine_codes(x, scale, zero_point, self.num_bits) * scale

    def _scale_and_zero_point(self, numel: int) -> tuple[Tensor, Tensor]:
        scale, zero_point = self.range.grid(self.num_bits)
        return scale * self.fraction(numel), zero_point

    def forward(self, x: Tensor) -> Quantized:
        if self.training:
            self.observe(x)
        scale, zero_point = self._scale_and_zero_point(x.numel())
        return Quantized(affine_codes(x, scale, zero_point, self.num_bits), scale)

    @torch.no_grad()
    def grid(self) -> Grid:
        scale, zero_point = self._scale_and_zero_point(1)
        return Grid(self.num_bits, scale, zero_point)
