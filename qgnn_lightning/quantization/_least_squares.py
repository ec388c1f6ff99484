"""The scale of the least squared error, tracked by Lloyd's step."""

from __future__ import annotations

import torch
from torch import Tensor

from qgnn_lightning.quantization._functional import affine_codes
from qgnn_lightning.quantization._grid import Grid, Quantized
from qgnn_lightning.quantization._quantizer import Quantizer
from qgnn_lightning.quantization._running_range import RunningRange
from qgnn_lightning.quantization._search import best_fraction


class LeastSquaresQuantizer(Quantizer):
    r"""Affine grid whose scale follows the least squared error of the data.

    Given the codes, the best scale has a closed form; the codes are then rounded with the new
    scale, as in Lloyd's algorithm, one step per call and averaged over the calls:

    .. math:: s \leftarrow s + \text{momentum}
        \left(\frac{\langle x, c \rangle}{\langle c, c \rangle} - s\right)

    Nothing is learned by gradient: what the network sends is rounded as faithfully as its bits
    allow, whatever the noise of the training. The zero point comes from the tracked range, the
    first scale from a search over its fractions.

    Source: Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28 (1982).

    Args:
        num_bits: Bits of a code.
        momentum: Weight of the newest range and scale.
        num_channels: Number of rows with a grid of their own, or ``None`` for one grid.
    """

    scale: Tensor

    def __init__(
        self, num_bits: int, momentum: float = 0.1, num_channels: int | None = None
    ) -> None:
        super().__init__()
        self._num_bits = num_bits
        self.range = RunningRange(momentum, num_channels)
        shape = () if num_channels is None else (num_channels, 1)
        self.register_buffer("scale", torch.ones(shape))

    @property
    def num_bits(self) -> int:
        return self._num_bits

    def observe(self, x: Tensor) -> None:
        self._start(x)
        self._follow(x, self._codes(x.detach(), self.scale))

    def forward(self, x: Tensor) -> Quantized:
        if self.training:
            self._start(x)
        # A copy: the buffer moves on before the backward pass has used it.
        scale = self.scale.clone()
        centred = self._codes(x, scale)
        if self.training:
            self._follow(x.detach(), centred.detach())
        return Quantized(centred, scale)

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        """Track the range; search the first scale."""
        first = not self.range.initialized
        self.range.update(x)
        if not (first and self.range.initialized):
            return
        whole, _ = self.range.grid(self.num_bits)
        fraction = best_fraction(
            x,
            lambda part, fraction: self._codes(part, whole * fraction) * (whole * fraction),
            per_channel=self.range.per_channel,
            candidates=[(i + 1) / 40 for i in range(40)],
            power=2,
        )
        self.scale.copy_(whole * fraction)

    @torch.no_grad()
    def _follow(self, x: Tensor, centred: Tensor) -> None:
        """One step towards the best scale for these codes, or down where all of them are 0."""
        if self.range.per_channel:
            energy = centred.square().sum(1, keepdim=True)
            overlap = (x * centred).sum(1, keepdim=True)
        else:
            flat = centred.flatten()
            energy, overlap = flat @ flat, x.flatten() @ flat
        # Codes are all 0 where the data have shrunk below the scale: the whole range catches them.
        whole, _ = self.range.grid(self.num_bits)
        best = torch.where(energy > 0, overlap / energy.clamp(min=1), whole.minimum(self.scale))
        self.scale.lerp_(best.to(self.scale), self.range.momentum)

    def _codes(self, x: Tensor, scale: Tensor) -> Tensor:
        _, zero_point = self.range.grid(self.num_bits)
        return affine_codes(x, scale, zero_point, self.num_bits)

    def grid(self) -> Grid:
        _, zero_point = self.range.grid(self.num_bits)
        return Grid(self.num_bits, self.scale.clone(), zero_point)
