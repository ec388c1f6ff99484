"""The range of the data, tracked while training and frozen in evaluation."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from qgnn_lightning.quantization._functional import grid_of_range

Granularity = Literal["per_tensor", "per_channel"]


class RunningRange(nn.Module):
    r"""Exponential moving average of the smallest and largest value, 0 always included.

    .. math:: m \leftarrow m + \text{momentum}\,(\min(x, 0) - m)

    Args:
        momentum: Weight of the newest range, in (0, 1]; the first one counts in full.
        num_channels: Number of rows with a range of their own, or ``None`` for one range.

    Raises:
        ValueError: If ``momentum`` is outside (0, 1].
    """

    minimum: Tensor
    maximum: Tensor
    initialized: Tensor

    def __init__(self, momentum: float, num_channels: int | None = None) -> None:
        super().__init__()
        if not 0 < momentum <= 1:
            raise ValueError(f"momentum must be in (0, 1], got {momentum}")
        self.momentum = momentum
        self.per_channel = num_channels is not None
        shape = () if num_channels is None else (num_channels, 1)
        self.register_buffer("minimum", torch.zeros(shape))
        self.register_buffer("maximum", torch.zeros(shape))
        self.register_buffer("initialized", torch.tensor(False))

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        """Track the range of ``x``."""
        if x.numel() == 0:
            return
        low, high = torch.aminmax(x, dim=1, keepdim=True) if self.per_channel else x.aminmax()
        self.follow(low, high)

    @torch.no_grad()
    def follow(self, low: Tensor, high: Tensor) -> None:
        """Track a range that was worked out elsewhere.

        Shapes:
            low, high: ``()``, or ``(num_channels, 1)``.
        """
        weight = self.momentum if self.initialized else 1.0
        self.minimum.lerp_(low.clamp(max=0).to(self.minimum.dtype), weight)
        self.maximum.lerp_(high.clamp(min=0).to(self.maximum.dtype), weight)
        self.initialized.fill_(True)

    def grid(self, num_bits: int) -> tuple[Tensor, Tensor]:
        """Scale and zero point for the tracked range.

        Raises:
            RuntimeError: If nothing was tracked yet.
        """
        if not self.initialized:
            raise RuntimeError(
                "this quantizer has no range yet: run the network once in training mode "
                "(or load a trained checkpoint) before evaluating it"
            )
        return grid_of_range(self.minimum, self.maximum, num_bits)
