"""What holds for every affine quantizer, whatever the data."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import normal

from qgnn_lightning.quantization import (
    BitwiseTruncationQuantizer,
    LearnedRangeQuantizer,
    MinMaxQuantizer,
    affine_codes,
    grid_of_range,
    make_quantizer,
    quantize,
)

_LARGEST = 2.0**100
values = st.lists(st.floats(-_LARGEST, _LARGEST, width=32), min_size=1, max_size=12)
bits = st.integers(1, 8)
fractions = st.floats(0.0625, 1, width=32)
# Inside the range |x / s| <= 255, off by 1.5 ulp: of the reciprocal and of the product.
_SLACK = 255 * 2.0**-22


@pytest.mark.parametrize("num_bits", [0, -1, 9, 33, 2.5, True, "4"])
@pytest.mark.parametrize("name", ["least_squares", "learned_range", "min_max", "lsq"])
def test_bits_that_there_are_no_codes_of_are_refused(name, num_bits):
    with pytest.raises(ValueError, match=r"num_bits must be 1 to 8, or 32 for full precision, got"):
        make_quantizer(name, num_bits)


def learned(seen: list[float], num_bits: int, fraction: float) -> LearnedRangeQuantizer:
    quantizer = LearnedRangeQuantizer(num_bits)
    quantizer(torch.tensor(seen))
    with torch.no_grad():
        quantizer.fraction.alpha.fill_(fraction)
    return quantizer.eval().requires_grad_(False)


@given(values, bits, fractions)
def test_zero_is_represented_exactly(seen, num_bits, fraction):
    quantizer = learned(seen, num_bits, fraction)
    assert quantizer.fake_quantize(torch.tensor([0.0, -0.0])).tolist() == [0, 0]
    grid = quantizer.grid()
    assert (grid.levels == 0).sum() == 1
    assert grid.zero_point == grid.zero_point.round()
    assert 0 <= grid.zero_point <= grid.quant_max


@given(values, values, bits, fractions)
def test_quantizing_twice_changes_nothing(seen, x, num_bits, fraction):
    quantizer = learned(seen, num_bits, fraction)
    once = quantizer.fake_quantize(torch.tensor(x))
    assert torch.equal(quantizer.fake_quantize(once), once)


@given(values, values, bits, fractions)
def test_values_are_levels_and_the_nearest_ones(seen, x, num_bits, fraction):
    quantizer = learned(seen, num_bits, fraction)
    grid, x = quantizer.grid(), torch.tensor(x)
    value = quantizer.fake_quantize(x)
    assert torch.isin(value, grid.levels).all()
    scale, levels = grid.scale.double(), grid.levels.double()
    clipped = x.double().clamp(levels[0], levels[-1])
    assert ((value.double() - clipped).abs() <= scale * (0.5 + _SLACK)).all()


@given(values, values, bits, fractions)
def test_order_is_kept(seen, x, num_bits, fraction):
    value = learned(seen, num_bits, fraction).fake_quantize(torch.tensor(x).sort().values)
    assert (value.diff() >= 0).all()


@given(values, bits)
def test_the_whole_range_is_covered(seen, num_bits):
    x = torch.tensor(seen)
    quantizer = MinMaxQuantizer(num_bits)
    value, scale = quantizer.fake_quantize(x).double(), quantizer.grid().scale.double()
    # The zero point is rounded, so either end may lie half a level outside.
    assert ((value - x.double()).abs() <= scale * (1 + _SLACK)).all()


@pytest.mark.parametrize("num_bits", range(1, 9))
def test_every_level_of_an_affine_grid_comes_out(num_bits):
    quantizer = learned([-0.8, 1.7], num_bits, 1.0)
    outside = torch.linspace(-2, 3, 5001)
    assert torch.equal(quantizer.fake_quantize(outside).unique(), quantizer.grid().levels)
    codes = quantize(outside, quantizer.grid().scale, quantizer.grid().zero_point, num_bits)
    assert codes.unique().tolist() == list(range(2**num_bits))
    assert codes.dtype == torch.uint8


@given(values, bits)
def test_grid_of_a_range_is_positive_even_where_the_range_is_empty(seen, num_bits):
    x = torch.tensor(seen)
    scale, zero_point = grid_of_range(x.min(), x.max(), num_bits)
    assert scale > 0
    assert 0 <= zero_point <= 2**num_bits - 1
    if x.min() >= 0:
        assert zero_point == 0
    if x.max() <= 0 and x.min() < -1e-6:
        assert zero_point == 2**num_bits - 1


def test_channels_are_quantized_apart_from_each_other():
    x = normal(0, 4, 30, dtype=torch.float32) * torch.tensor([[1e-3], [1.0], [50.0], [0.0]])
    together = LearnedRangeQuantizer(4, num_channels=4)
    actual = together.fake_quantize(x)
    for channel in range(4):
        alone = LearnedRangeQuantizer(4, num_channels=1)
        assert torch.equal(alone.fake_quantize(x[channel : channel + 1])[0], actual[channel])
    assert together.grid().levels.shape == (4, 1, 16)
    assert all(torch.isin(actual[i], together.grid().levels[i]).all() for i in range(4))


@given(values, st.integers(-42, 42))
def test_truncating_twice_changes_nothing(seen, shift):
    quantizer = BitwiseTruncationQuantizer()
    quantizer(torch.tensor(seen))
    quantizer.eval().skew.fill_(shift)
    once = quantizer.fake_quantize(torch.tensor(seen))
    assert torch.equal(quantizer.fake_quantize(once), once)


@given(st.integers(1, 8), st.floats(2.0**-20, 2.0**20, width=32))
def test_codes_of_the_levels_are_all_the_codes(num_bits, scale):
    scale, zero_point = torch.tensor(scale), torch.tensor(float(2 ** (num_bits - 1)))
    codes = torch.arange(2.0**num_bits) - zero_point
    assert torch.equal(affine_codes(codes * scale, scale, zero_point, num_bits), codes)


@given(values, bits)
def test_an_empty_tensor_changes_nothing(seen, num_bits):

    quantizer = LearnedRangeQuantizer(num_bits)
    quantizer(torch.tensor(seen))
    before = {name: value.clone() for name, value in quantizer.state_dict().items()}
    assert quantizer(torch.zeros(0)).value.shape == (0,)
    assert all(torch.equal(before[name], value) for name, value in quantizer.state_dict().items())
