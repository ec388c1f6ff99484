"""BT and BT*: every 8-bit code, against an enumeration of the nearest level."""

from __future__ import annotations

import pytest
import torch

from qgnn_lightning.quantization import BitwiseTruncationQuantizer, skewness, truncate_to_two_bits

LEVELS = (0, 85, 170, 255)


def nearest_level(code: int) -> int:
    return min(LEVELS, key=lambda level: abs(level - code))


def quantizer_of(low: float, high: float, shift: int) -> BitwiseTruncationQuantizer:
    """Evaluates over a range that is used in full."""
    quantizer = BitwiseTruncationQuantizer(skewness_aware=shift != 0)
    quantizer.range.update(torch.tensor([low, high]))
    quantizer.skew.fill_(shift)
    return quantizer.eval()


def test_every_code_goes_to_its_nearest_level_and_no_code_ties():
    codes = torch.arange(256)
    expected = [nearest_level(code) for code in range(256)]
    assert truncate_to_two_bits(codes.float()).tolist() == expected
    assert ((codes + 42) // 85 * 85).tolist() == expected
    distances = [sorted(abs(level - code) for level in LEVELS) for code in range(256)]
    assert all(first < second for first, second, *_ in distances)


@pytest.mark.parametrize(("low", "scale"), [(0, 1.0), (-98, 1.0), (-98, 0.0130017), (-255, 3e-5)])
@pytest.mark.parametrize("shift", range(-48, 49, 3))
def test_every_code_with_every_shift(low, scale, shift):
    quantizer = quantizer_of(low * scale, (255 + low) * scale, shift)
    grid = quantizer.grid()
    assert (int(grid.zero_point), grid.stride, grid.shift) == (-low, 85, shift)
    codes = torch.arange(256)
    shifted = [min(max(code + shift, 0), 255) for code in range(256)]
    expected = torch.tensor([nearest_level(code) for code in shifted]) + low
    quantized = quantizer((codes + low) * grid.scale)
    assert torch.equal(quantized.centred, expected.float())
    assert torch.isin(quantized.value, grid.levels).all()


def test_levels_are_exactly_the_values_that_come_out():
    quantizer = quantizer_of(-0.7, 1.9, 0)
    values = quantizer.fake_quantize(torch.linspace(-2, 3, 1001))
    assert torch.equal(values.unique(), quantizer.grid().levels)


def test_shift_is_the_rounded_skewness_of_the_last_tensor_seen_in_training():
    x = torch.tensor([0.0] * 20 + [1.0])
    mean = x.double().mean()
    moments = [(x.double() - mean).pow(k).mean() for k in (2, 3)]
    expected = moments[1] / moments[0] ** 1.5
    torch.testing.assert_close(skewness(x.double()), expected, rtol=1e-14, atol=0)
    quantizer = BitwiseTruncationQuantizer(skewness_aware=True)
    quantizer(x)
    assert quantizer.grid().shift == round(expected.item()) == 4
    quantizer.eval()(-x)
    assert quantizer.grid().shift == 4
    quantizer.train()(-x)
    assert quantizer.grid().shift == -4


def test_plain_truncation_does_not_shift():
    quantizer = BitwiseTruncationQuantizer()
    quantizer(torch.tensor([0.0] * 20 + [1.0]))
    assert quantizer.grid().shift == 0


@pytest.mark.parametrize("x", [torch.zeros(0), torch.full((5,), 3.0)])
def test_skewness_of_nothing_and_of_a_constant_is_zero(x):
    assert skewness(x) == 0
