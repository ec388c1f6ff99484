"""The search of the learned fraction, against brute force."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import normal, seeds
from torch import Tensor

from qgnn_lightning.quantization import BitwiseTruncationQuantizer, LearnedRangeQuantizer


def candidates(num_bits: int) -> list[float]:
    return [i / 10 for i in range(1, 11)] if num_bits == 2 else [i / 50 for i in range(1, 51)]


def affine_error(x: Tensor, fraction: float, num_bits: int) -> float:
    top = 2**num_bits - 1
    base = (x.max().clamp(min=0) - x.min().clamp(max=0)) / top
    zero_point = (-x.min().clamp(max=0) / base).round()
    codes = (x / (fraction * base)).round().clamp(-zero_point, top - zero_point)
    return (codes * fraction * base - x).abs().mean().item()


def truncation_error(x: Tensor, fraction: float, shift: float) -> float:
    base = (x.max().clamp(min=0) - x.min().clamp(max=0)) / 255
    zero_point = (-x.min().clamp(max=0) / base).round()
    fine = (x / (fraction * base)).round() + zero_point
    level = ((fine.clamp(0, 255) + shift).clamp(0, 255) / 85).round() * 85
    return ((level - zero_point) * fraction * base - x).abs().mean().item()


def raised(fraction: float, threshold: float) -> float:
    return fraction + 0.1 if fraction < threshold else fraction


def assert_least(alpha: float, errors: dict[float, float], threshold: float) -> None:
    """``alpha`` belongs to the least error, or to one that differs from it by rounding."""
    least = min(errors.values())
    winners = [f for f, error in errors.items() if error <= least * (1 + 1e-9) + 1e-15]
    assert any(alpha == pytest.approx(raised(f, threshold), abs=1e-6) for f in winners)


@given(seeds, st.integers(1, 8), st.floats(0.3, 3))
def test_learned_range_starts_at_the_least_mean_absolute_error(seed, num_bits, tail):
    x = normal(seed, 12, 3)
    x = x.sign() * x.abs().pow(tail)
    quantizer = LearnedRangeQuantizer(num_bits).double()
    quantizer(x)
    errors = {f: affine_error(x, f, num_bits) for f in candidates(num_bits)}
    assert_least(quantizer.fraction.alpha.item(), errors, threshold=0.1)


@given(seeds, st.booleans())
def test_truncation_starts_at_the_least_mean_absolute_error(seed, skewness_aware):
    x = normal(seed, 12, 3).exp()
    quantizer = BitwiseTruncationQuantizer(skewness_aware).double()
    quantizer(x)
    shift = quantizer.grid().shift
    errors = {f: truncation_error(x, f, shift) for f in candidates(2)}
    assert_least(quantizer.fraction.alpha.item(), errors, 0.5 if skewness_aware else 0.1)


def test_channels_are_searched_apart_from_each_other():
    x = normal(5, 4, 40).pow(3)
    quantizer = LearnedRangeQuantizer(3, num_channels=4).double()
    quantizer(x)
    for row, alpha in zip(x, quantizer.fraction.alpha.flatten().tolist(), strict=True):
        assert_least(alpha, {f: affine_error(row, f, 3) for f in candidates(3)}, 0.1)


def test_search_happens_once():
    quantizer = LearnedRangeQuantizer(4)
    quantizer(normal(0, 50, dtype=torch.float32))
    first = quantizer.fraction.alpha.item()
    quantizer(normal(1, 50, dtype=torch.float32).pow(5))
    assert quantizer.fraction.alpha.item() == first


def test_large_tensors_are_sampled_from_all_of_their_columns():
    """Every eighth column differs from the others, and 8 is how many times too large it is."""
    x = normal(0, 2**15, 64)
    x[:, ::8] = 1e-3
    quantizer = LearnedRangeQuantizer(2).double()
    quantizer(x)
    errors = {f: affine_error(x, f, 2) for f in candidates(2)}
    chosen = min(errors, key=lambda f: abs(f - quantizer.fraction.alpha.item()))
    assert errors[chosen] <= 1.05 * min(errors.values())
