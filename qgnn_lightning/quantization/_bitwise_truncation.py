"""BT and BT*: two bits as the coarsest levels of an 8-bit grid."""

from __future__ import annotations

import torch
from torch import Tensor

from qgnn_lightning.quantization._functional import skewness, truncated_codes
from qgnn_lightning.quantization._grid import Grid, Quantized
from qgnn_lightning.quantization._learned_range import LearnedFraction
from qgnn_lightning.quantization._quantizer import Quantizer
from qgnn_lightning.quantization._running_range import RunningRange


class BitwiseTruncationQuantizer(Quantizer):
    r"""BT: an affine 8-bit code over a learned range, rounded to one of {0, 85, 170, 255}.

    With ``skewness_aware`` (BT*) the rounded skewness of the tensor is added to the 8-bit code
    first. The four levels seldom contain the zero point, so real 0 is not represented exactly:
    layers keep the structural zeros of a sparse input as they are and quantize its entries only.

    Source: Wang et al., CIKM 2023 (bitwise truncation, skewness-aware bitwise truncation).

    Args:
        skewness_aware: Whether to shift the code by the skewness (BT*).
        momentum: Weight of the newest range.
        num_channels: Number of rows with a grid of their own, or ``None`` for one grid.
    """

    skew: Tensor

    def __init__(
        self,
        skewness_aware: bool = False,
        momentum: float = 0.1,
        num_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.skewness_aware = skewness_aware
        self.range = RunningRange(momentum, num_channels)
        threshold = 0.5 if skewness_aware else 0.1
        self.fraction = LearnedFraction(2, num_channels, threshold)
        self.register_buffer("skew", torch.zeros(()))

    @property
    def num_bits(self) -> int:
        return 2

    def observe(self, x: Tensor) -> None:
        first = not self.range.initialized
        self.range.update(x)
        if self.skewness_aware and x.numel():
            with torch.no_grad():
                self.skew.copy_(skewness(x).round())
        if first and self.range.initialized:
            self.fraction.initialize(x, self._fake_quantize_at)

    def _fake_quantize_at(self, x: Tensor, fraction: float) -> Tensor:
        scale, zero_point = self.range.grid(8)
        scale = scale * fraction
        return truncated_codes(x, scale, zero_point, self.skew) * scale

    def _scale_and_zero_point(self, numel: int) -> tuple[Tensor, Tensor]:
        scale, zero_point = self.range.grid(8)
        return scale * self.fraction(numel), zero_point

    def forward(self, x: Tensor) -> Quantized:
        if self.training:
            self.observe(x)
        scale, zero_point = self._scale_and_zero_point(x.numel())
        return Quantized(truncated_codes(x, scale, zero_point, self.skew), scale)

    @torch.no_grad()
    def grid(self) -> Grid:
        scale, zero_point = self._scale_and_zero_point(1)
        return Grid(2, scale, zero_point, stride=85, shift=int(self.skew))
