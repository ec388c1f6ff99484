"""Initial value of a learned range: a search over its fractions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Enough for the error's ranking to be stable; a search over everything would cost seconds.
_MAX_SAMPLES = 2**18


def candidate_fractions(num_bits: int) -> list[float]:
    """0.1, 0.2 ... 1.0 for two bits, else 0.02, 0.04 ... 1.0."""
    count = 10 if num_bits == 2 else 50
    return [(i + 1) / count for i in range(count)]


@torch.no_grad()
def best_fraction(
    x: Tensor,
    fake_quantize: Callable[[Tensor, float], Tensor],
    num_bits: int,
    *,
    per_channel: bool,
    threshold: float,
) -> Tensor:
    """The fraction of the range with the least mean absolute error; ties go to the first.

    Args:
        x: The data, rows are channels.
        fake_quantize: Rounds ``x`` to the grid of a fraction of the range.
        num_bits: Bits, which set the candidates.
        per_channel: Whether every row has a fraction of its own.
        threshold: Results below it are raised by 0.1.

    Shapes:
        x: any -> ``()``, or ``(num_channels, 1)``.
    """
    if not per_channel:
        flat = x.reshape(1, -1)
        x = flat[:, :: max(1, flat.numel() // _MAX_SAMPLES)]
    fractions = candidate_fractions(num_bits)
    errors = [(fake_quantize(x, f) - x).abs().mean(dim=1, keepdim=True) for f in fractions]
    best = torch.tensor(fractions, dtype=x.dtype, device=x.device)[torch.stack(errors).argmin(0)]
    best = torch.where(best < threshold, best + 0.1, best)
    return best if per_channel else best.reshape(())
