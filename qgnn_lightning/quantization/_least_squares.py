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

    .. math:: \alpha \leftarrow \alpha + \text{momentum} \left(\frac{1}{s_r}
        \frac{\langle x, c \rangle}{\langle c, c \rangle} - \alpha\right), \qquad s = \alpha s_r

    The scale is kept as a fraction :math:`\alpha` of :math:`s_r`, the one of the tracked range,
    and so follows data that grow or shrink. Nothing is learned by gradient: what the network
    sends is rounded as faithfully as its bits allow, whatever the noise of the training. The
    zero point comes from the tracked range, the first fraction from a search.

    Source: Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28 (1982).

    Args:
        num_bits: Bits of a code.
        momentum: Weight of the newest range and scale.
        num_channels: Number of rows with a grid of their own, or ``None`` for one grid.
    """

    fraction: Tensor

    def __init__(
        self, num_bits: int, momentum: float = 0.1, num_channels: int | None = None
    ) -> None:
        super().__init__()
        self._num_bits = num_bits
        self.range = RunningRange(momentum, num_channels)
        shape = () if num_channels is None else (num_channels, 1)
        self.register_buffer("fraction", torch.ones(shape))

    @property
    def num_bits(self) -> int:
        return self._num_bits

    def observe(self, x: Tensor) -> None:
        self._start(x)
        scale, zero_point = self._scale_and_zero_point()
        self._follow(x, affine_codes(x.detach(), scale, zero_point, self.num_bits))

    def forward(self, x: Tensor) -> Quantized:
        if self.training:
            self._start(x)
        scale, zero_point = self._scale_and_zero_point()
        centred = affine_codes(x, scale, zero_point, self.num_bits)
        if self.training:
            self._follow(x.detach(), centred.detach())
        return Quantized(centred, scale)

    def _scale_and_zero_point(self) -> tuple[Tensor, Tensor]:
        whole, zero_point = self.range.grid(self.num_bits)
        return whole * self.fraction, zero_point

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        """Track the range; search the first fraction of it."""
        first = not self.range.initialized
        self.range.update(x)
        if first and self.range.initialized:
            whole, zero_point = self.range.grid(self.num_bits)

            def fake_quantize(part: Tensor, fraction: float) -> Tensor:
                scale = whole * fraction
                return affine_codes(part, scale, zero_point, self.num_bits) * scale

            candidates = [(i + 1) / 40 for i in range(40)]
            per_channel = self.range.per_channel
            self.fraction.copy_(
                best_fraction(x, fake_quantize, candidates, per_channel=per_channel, power=2)
            )

    @torch.no_grad()
    def _follow(self, x: Tensor, centred: Tensor) -> None:
        """One step towards the best fraction for these codes; none where all of them are 0."""
        if self.range.per_channel:
            energy = centred.square().sum(1, keepdim=True)
            overlap = (x * centred).sum(1, keepdim=True)
        else:
            flat = centred.flatten()
            energy, overlap = flat.dot(flat), x.flatten().dot(flat)  # exact under autocast
        whole, _ = self.range.grid(self.num_bits)
        best = torch.where(energy > 0, overlap / (energy.clamp(min=1) * whole), self.fraction)
        self.fraction.lerp_(best.to(self.fraction), self.range.momentum)

    def grid(self) -> Grid:
        scale, zero_point = self._scale_and_zero_point()
        return Grid(self.num_bits, scale, zero_point)
