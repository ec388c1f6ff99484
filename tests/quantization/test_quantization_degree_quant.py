"""Degree-Quant: percentiles by enumeration, the mask by its frequencies."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import normal, seeds

from qgnn_lightning.quantization import (
    DegreeQuantQuantizer,
    MinMaxQuantizer,
    affine_codes,
    percentile_range,
    protect,
    protection_probability,
)

values = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=60)
degrees = st.lists(st.integers(1, 6), min_size=1, max_size=30)


@given(values, st.floats(0, 0.49))
def test_percentiles_by_enumeration(found, fraction):
    low, high = percentile_range(torch.tensor(found), fraction, per_channel=False)
    left_out = math.floor(len(found) * fraction)
    assert low.item() == sorted(found)[left_out]
    assert high.item() == sorted(found, reverse=True)[left_out]
    assert sum(value < low.item() for value in found) <= left_out
    assert sum(value > high.item() for value in found) <= left_out


def test_percentiles_of_each_channel_are_those_of_its_row():
    x = normal(0, 4, 250)
    low, high = percentile_range(x, 0.1, per_channel=True)
    assert low.shape == high.shape == (4, 1)
    for row, *ends in zip(x, low, high, strict=True):
        assert [end.item() for end in ends] == [row.sort().values[25], row.sort().values[-26]]


def test_range_is_a_moving_average_of_the_percentiles():
    quantizer = DegreeQuantQuantizer(8, momentum=0.25, left_out=0.01)
    low, high = None, None
    for seed in range(3):
        x = normal(seed, 300).float()
        quantizer(x)
        ordered = x.sort().values.tolist()
        low = ordered[3] if low is None else low + 0.25 * (ordered[3] - low)
        high = ordered[-4] if high is None else high + 0.25 * (ordered[-4] - high)
    assert quantizer.range.minimum.item() == pytest.approx(low, rel=1e-5)
    assert quantizer.range.maximum.item() == pytest.approx(high, rel=1e-5)


@given(seeds, st.integers(1, 8))
def test_without_a_mask_and_with_nothing_left_out_it_is_min_max(seed, num_bits):
    x = normal(seed, 5, 4)
    quantizer, plain = DegreeQuantQuantizer(num_bits, left_out=0.0), MinMaxQuantizer(num_bits)
    torch.testing.assert_close(quantizer.double()(x).value, plain.double()(x).value)


@given(degrees, st.floats(0, 0.5), st.floats(0, 0.5))
def test_probability_by_counting(degree, low, more):
    found = protection_probability(torch.tensor(degree).double(), low, low + more)
    for own, probability in zip(degree, found.tolist(), strict=True):
        rank = sum(other <= own for other in degree) / len(degree)
        assert probability == pytest.approx(low + more * rank)
    assert found.max().item() == pytest.approx(low + more)
    assert (found >= low).all()


def test_self_loops_change_nothing():
    degree = torch.tensor([1.0, 4.0, 4.0, 9.0])
    assert torch.equal(
        protection_probability(degree, 0.1, 0.4), protection_probability(degree + 1, 0.1, 0.4)
    )


def spared(quantizer: DegreeQuantQuantizer, x: torch.Tensor, degree: torch.Tensor) -> torch.Tensor:
    protect([quantizer], degree)
    return (quantizer(x).value - x).abs().amax(1) < 1e-6


def test_mask_has_the_stated_frequencies():
    torch.manual_seed(0)
    degree = torch.tensor([1.0, 1.0, 2.0, 5.0])
    quantizer = DegreeQuantQuantizer(1, lowest_probability=0.2, highest_probability=0.8)
    x = torch.tensor([[0.3, -0.2], [0.4, -0.3], [0.6, 0.9], [-0.7, 0.55]])
    quantizer.range.follow(torch.tensor(-1.0), torch.tensor(1.0))
    quantizer.range.momentum = 1e-9
    draws = 4000
    counts = sum(spared(quantizer, x, degree).double() for _ in range(draws))
    expected = torch.tensor([0.5, 0.5, 0.65, 0.8], dtype=torch.float64)
    # Five standard deviations of a binomial frequency.
    tolerance = 5 * (expected * (1 - expected) / draws).sqrt()
    assert ((counts / draws - expected).abs() < tolerance).all()


def test_spared_rows_are_exact_and_do_not_count_for_the_range():
    quantizer = DegreeQuantQuantizer(
        2, left_out=0.0, lowest_probability=0.0, highest_probability=1.0
    )
    x = torch.tensor([[0.5, -1.0], [100.0, -50.0], [0.25, 1.0]])
    quantizer.spare(torch.tensor([0.5, 0.5, 0.5]), torch.tensor([1.0, 9.0, 1.0]))
    # Ranks 2/3, 1, 2/3: with these draws all three would be spared.
    quantizer.spare(torch.tensor([0.9, 0.9, 0.9]), torch.tensor([1.0, 9.0, 1.0]))
    value = quantizer(x).value
    assert value[1].tolist() == pytest.approx([100.0, -50.0])
    assert (quantizer.range.minimum, quantizer.range.maximum) == (-1.0, 1.0)
    scale, zero_point = quantizer.range.grid(2)
    expected = affine_codes(x, scale, zero_point, 2) * scale
    assert torch.equal(value[[0, 2]], expected[[0, 2]])


def test_gradient_passes_where_rows_are_spared():
    quantizer = DegreeQuantQuantizer(2, left_out=0.0, highest_probability=1.0)
    x = torch.tensor([[0.5, -1.0], [100.0, -50.0], [0.25, 1.0]], requires_grad=True)
    quantizer.range.follow(torch.tensor(-0.1), torch.tensor(0.1))
    quantizer.range.momentum = 1e-9
    quantizer.spare(torch.tensor([0.9, 0.9, 0.9]), torch.tensor([1.0, 9.0, 1.0]))
    quantizer(x).value.sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]))


def test_a_mask_serves_one_call_in_training_mode_only():
    torch.manual_seed(1)
    quantizer = DegreeQuantQuantizer(1, lowest_probability=1.0, highest_probability=1.0)
    x, degree = normal(0, 6, 3).float(), torch.arange(1.0, 7.0)
    assert spared(quantizer, x, degree).all()
    assert not ((quantizer(x).value - x).abs().amax(1) < 1e-6).any()
    quantizer.eval()
    assert not spared(quantizer, x, degree).any()


def test_one_mask_for_the_quantizers_of_a_layer():
    torch.manual_seed(2)
    half = {"lowest_probability": 0.5, "highest_probability": 0.5}
    quantizers = [DegreeQuantQuantizer(1, **half) for _ in range(3)]
    protect([*quantizers, MinMaxQuantizer(4)], torch.ones(50))
    masks = [quantizer._protected for quantizer in quantizers]
    assert torch.equal(masks[0], masks[1])
    assert torch.equal(masks[0], masks[2])
    assert 10 < masks[0].sum() < 40


def test_other_networks_draw_no_random_number():
    before = torch.get_rng_state()
    protect([MinMaxQuantizer(4), DegreeQuantQuantizer(4).eval()], torch.ones(5))
    assert torch.equal(torch.get_rng_state(), before)


def test_degrees_of_other_nodes_are_refused():
    quantizer = DegreeQuantQuantizer(4)
    protect([quantizer], torch.ones(5))
    with pytest.raises(ValueError, match="degrees of 5 nodes do not fit 6 rows"):
        quantizer(torch.ones(6, 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lowest_probability": 0.3, "highest_probability": 0.2}, "in this order, got 0.3 and 0.2"),
        ({"highest_probability": 1.5}, r"must be in \[0, 1\].*got 0.0 and 1.5"),
        ({"left_out": 0.5}, r"left_out must be in \[0, 0.5\), got 0.5"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        DegreeQuantQuantizer(4, **options)
