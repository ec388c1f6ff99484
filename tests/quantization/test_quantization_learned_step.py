"""LSQ: its first step, its grid and its gradient, against the paper's formulas."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import normal, seeds

from qgnn_lightning.quantization import LearnedStepQuantizer


def limits(num_bits: int, signed: bool) -> tuple[int, int]:
    """Q_N and Q_P of the paper."""
    if signed:
        return 2 ** (num_bits - 1), 2 ** (num_bits - 1) - 1
    return 0, 2**num_bits - 1


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("num_bits", [1, 2, 4, 8])
def test_first_step_and_levels(num_bits, signed):
    x = normal(0, 40) if signed else normal(0, 40).abs()
    quantizer = LearnedStepQuantizer(num_bits).double()
    quantizer(x)
    lowest, highest = limits(num_bits, signed)
    step = 2 * x.abs().mean() / math.sqrt(max(highest, 1))
    grid = quantizer.grid()
    torch.testing.assert_close(grid.scale, step)
    expected = step * torch.arange(-lowest, highest + 1)
    torch.testing.assert_close(grid.levels, expected)


def test_the_first_call_decides():
    quantizer = LearnedStepQuantizer(4)
    quantizer(torch.tensor([0.5, 1.0]))
    before = quantizer.grid()
    quantizer(torch.tensor([-7.0, 9.0]))
    assert torch.equal(quantizer.grid().levels, before.levels)


@given(seeds, st.integers(1, 8), st.booleans(), st.floats(0.05, 3), st.booleans())
def test_gradient_is_that_of_the_paper(seed, num_bits, signed, alpha, per_channel):
    x = normal(seed, 5, 8) if signed else normal(seed, 5, 8).abs()
    signed = bool((x < 0).any())
    quantizer = LearnedStepQuantizer(num_bits, 5 if per_channel else None).double()
    quantizer(x)
    with torch.no_grad():
        quantizer.alpha.fill_(alpha)
    weight = normal(seed + 1, 5, 8)
    x.requires_grad_()
    actual = torch.autograd.grad((quantizer.fake_quantize(x) * weight).sum(), [x, quantizer.alpha])
    # Equation 3, by the step, with the scale of section 2.2; the step is alpha times the first.
    lowest, highest = limits(num_bits, signed)
    numel = 8 if per_channel else 40
    size = x.detach().abs().mean(1, keepdim=True) if per_channel else x.detach().abs().mean()
    first = 2 * size / math.sqrt(max(highest, 1))
    v = x.detach() / (alpha * first)
    by_step = torch.where(v <= -lowest, -lowest, torch.where(v >= highest, highest, v.round() - v))
    by_step = weight * by_step / math.sqrt(numel * max(highest, 1))
    by_alpha = first * (by_step.sum(1, keepdim=True) if per_channel else by_step.sum())
    inside = (v >= -lowest) & (v <= highest)
    torch.testing.assert_close(actual[0], weight * inside)
    torch.testing.assert_close(actual[1], by_alpha)


@given(seeds, st.integers(1, 8))
def test_gradient_is_that_of_autograd(seed, num_bits):
    """Straight-through rounding and gradient scaling, both by detaching."""
    x = normal(seed, 30)
    x[0] = -1.0
    quantizer = LearnedStepQuantizer(num_bits).double()
    quantizer(x)
    lowest, highest = limits(num_bits, signed=True)
    factor = 1 / math.sqrt(30 * max(highest, 1))
    alpha = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        quantizer.alpha.copy_(alpha)
    scaled = alpha * factor + (alpha - alpha * factor).detach()
    step = scaled * quantizer.first_step
    clipped = (x / step).clamp(-lowest, highest)
    value = (clipped + (clipped.round() - clipped).detach()) * step
    weight = normal(seed + 1, 30)
    (expected,) = torch.autograd.grad((value * weight).sum(), alpha)
    found = quantizer.fake_quantize(x)
    torch.testing.assert_close(found, value)
    (actual,) = torch.autograd.grad((found * weight).sum(), quantizer.alpha)
    torch.testing.assert_close(actual, expected)


def test_gradient_descent_on_the_step_lowers_the_error():
    x = normal(5, 500).float()
    quantizer = LearnedStepQuantizer(2)
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=0.01)

    def error() -> torch.Tensor:
        return (quantizer.fake_quantize(x) - x).square().mean()

    first = error().item()
    for _ in range(200):
        optimizer.zero_grad()
        error().backward()
        optimizer.step()
    # 0.1188 is the least of a four-level grid for a normal distribution (Max, 1960); this one
    # is not symmetric.
    assert 0.11 < error().item() < 0.9 * first


def test_zeros_alone_stay_zeros():
    quantizer = LearnedStepQuantizer(4)
    assert not quantizer.fake_quantize(torch.zeros(5)).any()
    assert quantizer.grid().scale > 0
