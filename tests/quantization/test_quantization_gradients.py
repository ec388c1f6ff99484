"""Gradients: the straight-through formulas, against autograd of their definition."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import normal, seeds
from torch import Tensor

from qgnn_lightning.quantization import (
    BitwiseTruncationQuantizer,
    LearnedRangeQuantizer,
    MinMaxQuantizer,
    affine_codes,
    round_half_even,
    truncate_to_two_bits,
)

bits = st.integers(1, 8)


def straight_through_round(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


def affine_by_definition(x: Tensor, scale: Tensor, zero_point: Tensor, num_bits: int) -> Tensor:
    clipped = torch.clamp(x / scale, -zero_point, 2**num_bits - 1 - zero_point)
    return straight_through_round(clipped)


def gradients(output: Tensor, inputs: list[Tensor], weight: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad((output * weight).sum(), inputs))


def close(actual: list[Tensor], expected: list[Tensor]) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_rounding_is_half_to_even_with_gradient_one():
    x = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.3], requires_grad=True)
    rounded = round_half_even(x)
    assert rounded.tolist() == [-2, -2, 0, 0, 2, 2, 0]
    rounded.backward(torch.arange(7.0))
    assert x.grad.tolist() == list(range(7))


@given(seeds, bits, st.booleans())
def test_affine_codes_have_the_gradients_of_their_definition(seed, num_bits, per_channel):
    x = (3 * normal(seed, 4, 5)).requires_grad_()
    shape = (4, 1) if per_channel else ()
    scale = (normal(seed + 1, *shape).abs() + 0.1).requires_grad_()
    zero_point = (normal(seed + 2, *shape).abs() * 2).round().clamp(max=2**num_bits - 1)
    weight = normal(seed + 3, 4, 5)
    actual = affine_codes(x, scale, zero_point, num_bits)
    expected = affine_by_definition(x, scale, zero_point, num_bits)
    assert torch.equal(actual, expected.round())
    close(gradients(actual, [x, scale], weight), gradients(expected, [x, scale], weight))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(), (1, 1), (2, 1)])
def test_the_ends_of_the_range_pass_the_gradient_and_the_next_number_does_not(dtype, shape):
    low, high = torch.tensor(-1.0, dtype=dtype), torch.tensor(2.0, dtype=dtype)
    ends = [low, low.nextafter(low - 1), high, high.nextafter(high + 1), torch.zeros_like(low)]
    x = torch.stack(ends).expand(2, 5).clone().requires_grad_()
    scale = torch.ones(shape, dtype=dtype)
    affine_codes(x, scale, scale, 2).sum().backward()
    assert x.grad.tolist() == [[1, 0, 1, 0, 1]] * 2


@given(seeds, bits)
def test_value_has_the_gradient_of_esser_et_al_by_its_scale(seed, num_bits):
    x = 3 * normal(seed, 50)
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    zero_point = torch.tensor(float(2 ** (num_bits - 1)), dtype=torch.float64)
    weight = normal(seed + 1, 50)
    (actual,) = gradients(affine_codes(x, scale, zero_point, num_bits) * scale, [scale], weight)
    low, high = -zero_point, 2**num_bits - 1 - zero_point
    v = x / scale.detach()
    by_scale = torch.where(v < low, low, torch.where(v > high, high, v.round() - v))
    close([actual], [(weight * by_scale).sum()])


def calibrated(quantizer, x: Tensor, alpha: float | Tensor):
    """The quantizer in float64 after it saw ``x``, with a given learned fraction."""
    quantizer.double()(x)
    with torch.no_grad():
        quantizer.fraction.alpha.copy_(torch.as_tensor(alpha, dtype=torch.float64))
    return quantizer.eval()


@given(seeds, bits, st.floats(0.05, 1.2))
def test_learned_range_against_the_formula(seed, num_bits, alpha):
    x = normal(seed, 6, 4).requires_grad_()
    quantizer = calibrated(LearnedRangeQuantizer(num_bits), x.detach(), alpha)
    weight = normal(seed + 1, 6, 4)
    actual = gradients(quantizer.fake_quantize(x), [x, quantizer.fraction.alpha], weight)

    quant_max = 2**num_bits - 1
    width = (x.max().clamp(min=0) - x.min().clamp(max=0)).detach()
    base = width / quant_max
    zero_point = (-x.detach().min().clamp(max=0) / base).round()
    v = x.detach() / (alpha * base)
    inside = (v >= -zero_point) & (v <= quant_max - zero_point)
    clip_value = torch.where(v < 0, -zero_point, quant_max - zero_point)
    by_scale = torch.where(inside, v.round() - v, clip_value)
    by_alpha = (weight * by_scale).sum() * base / math.sqrt(x.numel() * quant_max)
    close(actual, [weight * inside, by_alpha])


def learned_range_by_definition(
    x: Tensor, alpha: Tensor, low: Tensor, high: Tensor, num_bits: int
) -> Tensor:
    """Autograd of this is the gradient: detach stands for straight-through and for scaling."""
    quant_max = 2**num_bits - 1
    factor = 1 / math.sqrt(x.numel() / alpha.numel() * quant_max)
    scaled = alpha * factor + (alpha - alpha * factor).detach()
    base = (high - low) / quant_max
    scale = scaled * base
    return affine_by_definition(x, scale, (-low / base).round(), num_bits) * scale


@given(seeds, bits, st.booleans())
def test_learned_range_against_autograd_of_its_definition(seed, num_bits, per_channel):
    x = normal(seed, 5, 8).requires_grad_()
    channels = 5 if per_channel else None
    alpha = 0.1 + normal(seed + 1, 5, 1).abs() if per_channel else torch.tensor(0.37).double()
    quantizer = calibrated(
        LearnedRangeQuantizer(num_bits, num_channels=channels), x.detach(), alpha
    )
    weight = normal(seed + 2, 5, 8)
    low = x.detach().amin(1, keepdim=True) if per_channel else x.detach().min()
    high = x.detach().amax(1, keepdim=True) if per_channel else x.detach().max()
    parameter = alpha.clone().requires_grad_()
    expected = learned_range_by_definition(
        x, parameter, low.clamp(max=0), high.clamp(min=0), num_bits
    )
    actual = quantizer.fake_quantize(x)
    close([actual], [expected])
    close(
        gradients(actual, [x, quantizer.fraction.alpha], weight),
        gradients(expected, [x, parameter], weight),
    )


@pytest.mark.parametrize("shift", [0, 20])
def test_truncation_against_autograd_of_its_definition(shift):
    x = normal(3, 40).requires_grad_()
    quantizer = calibrated(BitwiseTruncationQuantizer(), x.detach(), 0.6)
    quantizer.skew.fill_(shift)
    base = (x.max() - x.min()).detach() / 255
    zero_point = (-x.min().detach() / base).round()
    alpha = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
    factor = 1 / math.sqrt(40 * 3)
    scale = (alpha * factor + (alpha - alpha * factor).detach()) * base
    fine = affine_by_definition(x, scale, zero_point, 8) + zero_point
    coarse = straight_through_round((fine + shift).clamp(0, 255) / 85) * 85
    expected, actual = (coarse - zero_point) * scale, quantizer.fake_quantize(x)
    weight = normal(4, 40)
    close([actual], [expected])
    close(
        gradients(actual, [x, quantizer.fraction.alpha], weight),
        gradients(expected, [x, alpha], weight),
    )


def test_truncation_passes_the_gradient_straight_through():
    codes = torch.arange(256.0, requires_grad=True)
    truncate_to_two_bits(codes).sum().backward()
    assert torch.allclose(codes.grad, torch.ones(256))


def test_min_max_learns_nothing_but_passes_gradients_inside_its_range():
    quantizer = MinMaxQuantizer(3)
    assert list(quantizer.parameters()) == []
    x = torch.tensor([-9.0, -0.6, 0.4, 9.0], requires_grad=True)
    quantizer(torch.tensor([-1.0, 1.0]))
    quantizer.eval().fake_quantize(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0]
