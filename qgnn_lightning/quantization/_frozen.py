"""A quantizer whose grid is given and never changes."""

from __future__ import annotations

from torch import Tensor

from qgnn_lightning.quantization._grid import Grid, Quantized
from qgnn_lightning.quantization._quantizer import Quantizer


class FrozenQuantizer(Quantizer):
    """Rounds to a fixed grid, in training mode as well.

    Args:
        grid: The grid.
    """

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self._grid = grid

    @property
    def num_bits(self) -> int:
        return self._grid.num_bits

    def forward(self, x: Tensor) -> Quantized:
        return Quantized(self._grid.centred_codes(x), self._grid.scale)

    def observe(self, x: Tensor) -> None:
        """There is nothing to track."""

    def grid(self) -> Grid:
        return self._grid
