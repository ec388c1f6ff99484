"""Measures of what a quantization loses."""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_fraction(x: Tensor, quantized: Tensor, scale: Tensor) -> Tensor:
    """Fraction of the elements that lie outside the grid by more than the rounding error.

    Args:
        x: The original.
        quantized: What became of it.
        scale: Distance of two neighbouring levels.

    Shapes:
        x, quantized: any -> ``()``.
    """
    outside = (x - quantized).abs() > scale * (0.5 + 1e-4)
    return outside.to(x.dtype).mean() if x.numel() else x.new_zeros(())


def signal_to_noise_ratio(x: Tensor, quantized: Tensor) -> Tensor:
    r"""Signal-to-noise ratio in decibel, ten times the logarithm of the ratio of energies.

    .. math:: 10 \log_{10}(\lVert x \rVert^2 / \lVert x - q \rVert^2)

    Infinite where nothing is lost.

    Shapes:
        x, quantized: any -> ``()``.
    """
    noise = (x - quantized).square().sum()
    return 10 * torch.log10(x.square().sum() / noise)
