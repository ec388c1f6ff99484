"""LSQ: the step between two levels is learned by gradient."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qgnn_lightning.quantization._functional import affine_codes, scale_gradient
from qgnn_lightning.quantization._grid import Grid, Quantized
from qgnn_lightning.quantization._quantizer import Quantizer

_SMALLEST_FRACTION = 0.01
_SMALLEST_STEP = 1e-12


class LearnedStepQuantizer(Quantizer):
    r"""LSQ: a learned step size :math:`s`, and codes that are signed where the data are.

    .. math:: \hat x = s \operatorname{clip}(\operatorname{round}(x / s),\; -Q_N,\; Q_P),
        \qquad s_0 = 2 \operatorname{mean} |x| / \sqrt{Q_P}

    Data with a negative value in the first call have :math:`Q_N = 2^{b-1}`,
    :math:`Q_P = 2^{b-1} - 1`, others :math:`Q_N = 0`, :math:`Q_P = 2^b - 1`. The gradient of the
    step is scaled by :math:`1 / \sqrt{\text{numel} \cdot Q_P}`, one bit counting as
    :math:`Q_P = 1`.

    The trained parameter is :math:`\alpha = s / s_0`, so that Adam, whose steps have the size of
    the learning rate whatever the gradient's, changes a small step as much as a large one; the
    scaled gradient was made for that balance under plain gradient descent.

    Source: Esser et al., "Learned Step Size Quantization", ICLR 2020, equations 1 to 3 and
    sections 2.1 and 2.2.

    Args:
        num_bits: Bits :math:`b` of a code.
        num_channels: Number of rows with a step of their own, or ``None`` for one step.
    """

    first_step: Tensor
    zero_point: Tensor
    initialized: Tensor

    def __init__(self, num_bits: int, num_channels: int | None = None) -> None:
        super().__init__()
        self._num_bits = num_bits
        shape = () if num_channels is None else (num_channels, 1)
        self.alpha = nn.Parameter(torch.ones(shape))
        self.register_buffer("first_step", torch.ones(shape))
        self.register_buffer("zero_point", torch.zeros(()))
        self.register_buffer("initialized", torch.tensor(False))

    @property
    def num_bits(self) -> int:
        return self._num_bits

    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        if self.initialized or x.numel() == 0:
            return
        if bool((x < 0).any()):
            self.zero_point.fill_(2 ** (self.num_bits - 1))
        size = x.abs().mean(1, keepdim=True) if self.alpha.dim() else x.abs().mean()
        self.first_step.copy_((2 * size * self._largest_code**-0.5).clamp(min=_SMALLEST_STEP))
        self.initialized.fill_(True)

    @property
    def _largest_code(self) -> float:
        return max(1.0, 2.0**self.num_bits - 1 - float(self.zero_point))

    def _step(self, numel: int) -> Tensor:
        if not self.initialized:
            raise RuntimeError(
                "this quantizer has no range yet: run the network once in training mode "
                "(or load a trained checkpoint) before evaluating it"
            )
        per_step = max(1, numel // self.alpha.numel())
        alpha = scale_gradient(self.alpha, (per_step * self._largest_code) ** -0.5)
        return alpha.clamp(min=_SMALLEST_FRACTION) * self.first_step

    def forward(self, x: Tensor) -> Quantized:
        if self.training:
            self.observe(x)
        step = self._step(x.numel())
        return Quantized(affine_codes(x, step, self.zero_point, self.num_bits), step)

    @torch.no_grad()
    def grid(self) -> Grid:
        step = self._step(1)
        return Grid(self.num_bits, step, self.zero_point.expand_as(step))
