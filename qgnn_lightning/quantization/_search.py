"""Initial value of a learned range: a search over its fractions."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

# Enough for the error's ranking to be stable; a search over everything would cost seconds.
_MAX_SAMPLES = 2**18


def candidate_fractions(num_bits: int) -> list[float]:
    """0.1, 0.2 ... 1.0 for two bits, else 0.02, 0.04 ... 1.0."""
    count = 10 if num_bits == 2 else 50
    return [(i + 1) / count for i in range(count)]


def _stride(x: Tensor) -> int:
    """Distance of the samples, without a factor in common with the rows: all columns have some."""
    stride = max(1, x.numel() // _MAX_SAMPLES)
    while x.dim() and math.gcd(stride, x.shape[-1]) > 1:
        stride += 1
    return stride


@torch.no_grad()
def best_fraction(
    x: Tensor,
    fake_quantize: Callable[[Tensor, float], Tensor],
    candidates: list[float],
    *,
    per_channel: bool,
    power: int = 1,
) -> Tensor:
    """The fraction of the range with the least mean error; ties go to the first.

    Args:
        x: The data, rows are channels.
        fake_quantize: Rounds ``x`` to the grid of a fraction of the range.
        candidates: The fractions to try.
        per_channel: Whether every row has a fraction of its own.
        power: 1 for the absolute error, 2 for the squared one.

    Shapes:
        x: any -> ``()``, or ``(num_channels, 1)``.
    """
    if not per_channel:
        x = x.reshape(1, -1)[:, :: _stride(x)]
    errors = [
        (fake_quantize(x, fraction) - x).abs().pow(power).mean(dim=1, keepdim=True)
        for fraction in candidates
    ]
    best = torch.tensor(candidates, dtype=x.dtype, device=x.device)[torch.stack(errors).argmin(0)]
    return best if per_channel else best.reshape(())
