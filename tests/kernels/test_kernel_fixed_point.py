"""Fixed point of 16 bits against rational arithmetic, and the kernels where it is stretched."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import WIDTHS, random_graph
from torch import Tensor

from qgnn_lightning.kernels import Grid, StepCoefficients, fixed_point, propagate, why_unavailable
from qgnn_lightning.kernels._grid import GridTable
from qgnn_lightning.kernels.reference import quantize

ALL_UNITS = torch.arange(-(1 << 15), 1 << 15, dtype=torch.float32)
gains = st.floats(-(2.0**13), 2.0**13, width=32).filter(lambda gain: abs(gain) > 2.0**-40)


def saturated(v: Fraction) -> int:
    """The integer below v + 1/2, in 16 bits."""
    return min(max(math.floor(v + Fraction(1, 2)), -(1 << 15)), (1 << 15) - 1)


def mantissa_of_15_bits(gain: float) -> Fraction:
    """Nearest number of 15 significant bits, away from 0 in the middle."""
    unit = Fraction(2) ** (math.frexp(gain)[1] - 15)
    size = math.floor(abs(Fraction(gain)) / unit + Fraction(1, 2)) * unit
    return size if gain > 0 else -size


@given(gain=gains, totals=st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=1, max_size=9))
def test_messages_are_rational_products_rounded_once(gain, totals):
    narrow = mantissa_of_15_bits(gain)
    exponent = math.frexp(float(narrow))[1]
    largest = math.floor(Fraction(32767) / Fraction(2) ** exponent)
    expected = [saturated(min(max(total, -largest), largest) * narrow) for total in totals]
    units = fixed_point.message_units(torch.tensor(totals).double(), torch.tensor([gain]))
    assert units.tolist() == expected


@given(gain=gains, total=st.integers(-(2**31) + 1, 2**31 - 1))
def test_the_limit_of_the_sums_touches_large_results_only(gain, total):
    exact = total * mantissa_of_15_bits(gain)
    units = fixed_point.message_units(torch.tensor([total]).double(), torch.tensor([gain])).item()
    if abs(exact) <= 16383:
        assert abs(units - exact) <= Fraction(1, 2)
    else:
        assert units * exact > 0
        assert abs(units) >= 8191


@given(ratio=st.floats(2.0**-20, 2.0**16), units=st.integers(-(1 << 15), (1 << 15) - 1))
def test_rescaling_is_a_rational_product_rounded_once(ratio, units):
    scale = torch.tensor(ratio, dtype=torch.float32)
    narrow = fixed_point.unit_ratio(scale, torch.ones(()))
    assert abs(narrow.item() - min(scale.item(), 2.0**15)) <= 2.0**-16
    result = fixed_point.rescale(torch.tensor([float(units)]), narrow)
    assert result.item() == saturated(units * Fraction(narrow.item()))


@pytest.mark.parametrize("num_bits", [2, 4, 8])
def test_what_is_read_rounds_half_upwards_for_every_number(num_bits):
    """In float32, and times a scale that is no power of two."""
    fraction, zero_point = fixed_point.fraction_bits(num_bits), 1
    table = GridTable.from_grids([Grid(num_bits, 1.0, zero_point)])
    levels = ((ALL_UNITS + 2.0 ** (fraction - 1)) / 2.0**fraction).floor()
    expected = levels.clamp(-zero_point, 2**num_bits - 1 - zero_point) + zero_point
    read = fixed_point.units_read(ALL_UNITS)
    codes = quantize(read, table, 2.0**-fraction, 0)
    assert torch.equal(codes.float(), expected)
    for scale in (0.3, 7.1e-5, 913.0):
        value = torch.tensor(scale) * 2.0**-fraction
        assert torch.equal(quantize(read * value, table, 1 / torch.tensor(scale), 0), codes)


@pytest.mark.parametrize("level_bits", [2, 4, 8])
def test_eight_bits_keep_the_nearest_multiple(level_bits):
    step = 2 ** max(fixed_point.fraction_bits(level_bits) - 5, 0)
    kept = fixed_point.narrowed(ALL_UNITS, level_bits)
    assert ((kept % step) == 0).all()
    assert kept.min() == -128 * step
    assert kept.max() == 127 * step
    inside = ALL_UNITS.clamp(-128 * step, 127.5 * step - 0.5) == ALL_UNITS
    assert ((kept - ALL_UNITS)[inside].abs() <= step / 2).all()


def test_real_numbers_saturate():
    v = torch.tensor([-1e30, -1.5, 0.0, 0.5, 1.5, 1e30])
    assert fixed_point.to_units(v, torch.tensor(1.0)).tolist() == [-32768, -2, 0, 0, 2, 32767]


def stretched_grids(draw: st.DrawFn) -> list[Grid]:
    """Grids whose scales lie orders of magnitude apart."""
    num_bits = draw(st.sampled_from((2, 4, 8)))
    top = (1 << num_bits) - 1
    scales = st.one_of(st.floats(0.2, 3.0), st.floats(-4, 4).map(lambda power: 10.0**power))
    return [
        Grid(num_bits, draw(scales) / top, draw(st.integers(0, top)))
        for _ in range(draw(st.integers(2, 4)))
    ]


@pytest.mark.skipif(why_unavailable("cpu") is not None, reason=str(why_unavailable("cpu")))
@given(
    step_grids=st.composite(stretched_grids)(),
    nodes=st.sampled_from((1, 5, 40)),
    entries=st.sampled_from((0, 30, 6000)),
    width=st.sampled_from(WIDTHS),
    message=st.sampled_from((0.9, -0.9, 1e-4, 50.0, 1e-9)),
    form=st.sampled_from(("direct", "delta_sigma")),
    residual_bits=st.sampled_from((8, 16)),
    size=st.floats(-3, 3),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_kernels_agree_where_numbers_saturate_or_vanish(
    step_grids, nodes, entries, width, message, form, residual_bits, size, seed
):
    graph = random_graph(nodes, entries, seed, hub=seed % 2 == 0)
    x0 = torch.randn(nodes, width, generator=torch.Generator().manual_seed(seed)) * 10.0**size

    def run(backend: str) -> tuple[Tensor, Tensor]:
        return propagate(
            x0, graph, step_grids, StepCoefficients(0.0, message, 0.1), form=form,
            residual_bits=residual_bits, return_codes=True, num_threads=1, backend=backend,
        )  # fmt: skip

    for ours, expected in zip(run("cpu"), run("reference"), strict=True):
        assert torch.equal(ours, expected)
