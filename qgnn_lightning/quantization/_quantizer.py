"""What every quantizer can do."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from qgnn_lightning.quantization._grid import Grid, Quantized


class Quantizer(nn.Module, ABC):
    """Turns a tensor into codes; keeps its range as state.

    In training mode a call also updates what is tracked of the data; in evaluation mode nothing
    is written.
    """

    @property
    @abstractmethod
    def num_bits(self) -> int:
        """Bits of a code; 32 where nothing is quantized."""

    @abstractmethod
    def forward(self, x: Tensor) -> Quantized:
        """Codes and scale of ``x``, differentiable.

        Raises:
            RuntimeError: In evaluation mode before the first calibration.
        """

    @abstractmethod
    def observe(self, x: Tensor) -> None:
        """Track the range of ``x`` as a call in training mode does; returns nothing."""

    @abstractmethod
    def grid(self) -> Grid | None:
        """The levels as they are now, or ``None`` where nothing is quantized."""

    def fake_quantize(self, x: Tensor) -> Tensor:
        """``x`` rounded to the grid, as real numbers."""
        return self.forward(x).value
