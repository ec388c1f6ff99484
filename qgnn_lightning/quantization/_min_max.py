"""The plain baseline: the whole tracked range, nothing learned."""

from __future__ import annotations

from torch import Tensor

from qgnn_lightning.quantization._functional import affine_codes
from qgnn_lightning.quantization._grid import Grid, Quantized
from qgnn_lightning.quantization._quantizer import Quantizer
from qgnn_lightning.quantization._running_range import RunningRange


class MinMaxQuantizer(Quantizer):
    """Affine grid over the moving average of the smallest and largest value.

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018.

    Args:
        num_bits: Bits of a code.
        momentum: Weight of the newest range.
        num_channels: Number of rows with a grid of their own, or ``None`` for one grid.
    """

    def __init__(
        self, num_bits: int, momentum: float = 0.1, num_channels: int | None = None
    ) -> None:
        super().__init__()
        self._num_bits = num_bits
        self.range = RunningRange(momentum, num_channels)

    @property
    def num_bits(self) -> int:
        return self._num_bits

    def observe(self, x: Tensor) -> None:
        self.range.update(x)

    def forward(self, x: Tensor) -> Quantized:
        if self.training:
            self.observe(x)
        scale, zero_point = self.range.grid(self.num_bits)
        return Quantized(affine_codes(x, scale, zero_point, self.num_bits), scale)

    def grid(self) -> Grid:
        scale, zero_point = self.range.grid(self.num_bits)
        return Grid(self.num_bits, scale, zero_point)
