"""The scale that follows the least squared error, against its closed form and brute force."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import normal, seeds
from torch import Tensor

from qgnn_lightning.quantization import MinMaxQuantizer, make_quantizer

bits = st.integers(1, 8)


def quantizer_of(num_bits: int, momentum: float = 0.1, num_channels: int | None = None):
    return make_quantizer("least_squares", num_bits, momentum, num_channels).double()


def squared_error(quantizer, x: Tensor) -> Tensor:
    return (quantizer.eval().fake_quantize(x) - x).square().sum()


@given(seeds, bits)
def test_error_never_rises_on_the_same_data(seed, num_bits):
    """Best scale for the codes, then nearest codes for the scale: either can only help."""
    x = normal(seed, 8, 5).pow(3)
    quantizer = quantizer_of(num_bits, momentum=1.0)
    quantizer(x)
    errors = [squared_error(quantizer, x)]
    for _ in range(6):
        quantizer.train()(x)
        errors.append(squared_error(quantizer, x))
    for before, after in pairwise(errors):
        assert after <= before * (1 + 1e-12) + 1e-15


@given(seeds, bits)
def test_error_stays_below_that_of_the_whole_range(seed, num_bits):
    x = normal(seed, 8, 5)
    whole, fitted = MinMaxQuantizer(num_bits).double(), quantizer_of(num_bits, momentum=1.0)
    whole(x)
    fitted(x)
    assert squared_error(fitted, x) <= squared_error(whole, x) * (1 + 1e-12)


@given(seeds, bits, st.floats(0.05, 1))
def test_scale_moves_towards_its_closed_form(seed, num_bits, momentum):
    x = normal(seed, 8, 5)
    quantizer = quantizer_of(num_bits, momentum)
    quantizer(x)
    other = 0.8 * x
    sent = quantizer(other)
    before, codes = sent.scale, sent.centred
    if codes.any():
        # The slope of |x - s c|^2 in s vanishes there.
        scale = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad((other - scale * codes).square().sum(), scale)
        best = 1 - slope / (2 * codes.square().sum())
        expected = before + momentum * (best - before)
        torch.testing.assert_close(quantizer.grid().scale, expected, rtol=1e-11, atol=0)


@given(seeds, bits)
def test_channels_are_followed_apart_from_each_other(seed, num_bits):
    x = normal(seed, 3, 30) * torch.tensor([[1e-3], [1.0], [50.0]])
    together = quantizer_of(num_bits, num_channels=3)
    alone = [quantizer_of(num_bits, num_channels=1) for _ in range(3)]
    for factor in (1.0, 1.1):
        together(factor * x)
        for row, quantizer in zip(x, alone, strict=True):
            quantizer(factor * row[None])
    expected = torch.cat([quantizer.grid().scale for quantizer in alone])
    torch.testing.assert_close(together.grid().scale, expected, rtol=1e-12, atol=0)


@given(seeds, bits)
def test_scale_stays_positive_and_zero_exact(seed, num_bits):
    quantizer = quantizer_of(num_bits, momentum=1.0)
    for step, factor in enumerate((1.0, -3.0, 1e-3, 0.0, 40.0)):
        quantizer.train()(factor * normal(seed + step, 12))
        assert quantizer.grid().scale > 0
    assert quantizer.eval().fake_quantize(torch.zeros(2).double()).tolist() == [0, 0]


def test_a_gradient_reaches_the_data_alone():
    x = torch.tensor([-9.0, -0.6, 0.4, 9.0], dtype=torch.float64, requires_grad=True)
    quantizer = quantizer_of(3)
    assert list(quantizer.parameters()) == []
    quantizer(torch.tensor([-1.0, 1.0]).double())
    quantizer.fake_quantize(x).sum().backward()  # in training mode: the scale moves meanwhile
    assert x.grad.tolist() == pytest.approx([0, 1, 1, 0])


def test_scale_follows_data_that_shrink_below_it() -> None:
    """Codes that are all 0 say nothing about the scale: it comes down to the tracked range."""
    torch.manual_seed(0)
    quantizer, x = make_quantizer("least_squares", 2), torch.randn(1000)
    quantizer(x)
    for _ in range(200):
        sent = quantizer(x / 100)
    assert sent.centred.abs().max() > 0
    error = (sent.value - x / 100).square().sum() / (x / 100).square().sum()
    assert error < 0.2
