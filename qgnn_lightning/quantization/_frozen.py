"""A quantizer whose grid is given and never changes."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from qgnn_lightning.quantization._grid import Grid, Quantized
from qgnn_lightning.quantization._quantizer import Quantizer


class FrozenQuantizer(Quantizer):
    """Rounds to a fixed grid, in training mode as well.

    Args:
        grid: The grid.
    """

    scale: Tensor
    zero_point: Tensor

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self._given = grid
        self.register_buffer("scale", grid.scale)
        self.register_buffer("zero_point", grid.zero_point)

    @property
    def num_bits(self) -> int:
        return self._given.num_bits

    def forward(self, x: Tensor) -> Quantized:
        return Quantized(self.grid().centred_codes(x), self.scale)

    def observe(self, x: Tensor) -> None:
        """There is nothing to track."""

    def grid(self) -> Grid:
        return replace(self._given, scale=self.scale, zero_point=self.zero_point)
