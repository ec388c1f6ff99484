"""No quantization, where a stage stays at full precision."""

from __future__ import annotations

from torch import Tensor

from qgnn_lightning.quantization._grid import Quantized
from qgnn_lightning.quantization._quantizer import Quantizer


class IdentityQuantizer(Quantizer):
    """Returns its input: the stage stays at full precision."""

    @property
    def num_bits(self) -> int:
        return 32

    def forward(self, x: Tensor) -> Quantized:
        return Quantized(x, None)

    def observe(self, x: Tensor) -> None:
        """There is nothing to track."""

    def grid(self) -> None:
        return None
