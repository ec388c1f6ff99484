"""Low-bit linear maps: exact integers, and the same floats on every backend."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import ISAS, WIDTHS, grids, random_codes, random_features

from qgnn_lightning.kernels import (
    Grid,
    LinearWeight,
    cpu,
    linear,
    pack,
    quantize_pack,
    sparse_linear,
    unpack,
    why_unavailable,
)

needs_cpu = pytest.mark.skipif(
    why_unavailable("cpu") is not None, reason=str(why_unavailable("cpu"))
)


def random_weight(out_features: int, in_features: int, limit: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(
        -limit, limit + 1, (out_features, in_features), generator=generator
    ).short()


def test_result_is_the_formula_in_integers() -> None:
    codes, weight = random_codes(5, 12, 4, seed=0), random_weight(3, 12, 7, seed=1)
    grid, scale, bias = Grid(4, 0.5, 6), torch.tensor([0.25, 1.0, 2.0]), torch.tensor([1.0, 0, -1])
    y = linear(pack(codes, 4), grid, LinearWeight(weight, scale, bias), backend="reference")
    for n in range(5):
        for o in range(3):
            total = sum((int(codes[n, f]) - 6) * int(weight[o, f]) for f in range(12))
            assert float(y[n, o]) == total * 0.5 * float(scale[o]) + float(bias[o])


@needs_cpu
@pytest.mark.parametrize("isa", ISAS)
@given(
    rows=st.sampled_from((0, 1, 7)),
    widths=st.sampled_from(((1, 1), (3, 5), (33, 4), (130, 9), (300, 65), (1433, 16))),
    num_bits=st.sampled_from((2, 4, 8)),
    limit=st.sampled_from((1, 3, 15, 127, 255)),
    truncated=st.booleans(),
    bias=st.booleans(),
    relu=st.booleans(),
    out_bits=st.sampled_from((0, 2, 4, 8)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_backends_agree(
    isa, rows, widths, num_bits, limit, truncated, bias, relu, out_bits, seed
) -> None:  # type: ignore[no-untyped-def]
    if isa not in cpu.available_isas():
        pytest.skip(f"this processor or build has no {isa}")
    stride = 85 if truncated and num_bits == 2 else 1
    grid = Grid(num_bits, 0.3, (1 << num_bits) // 2, stride)
    codes, weight = (
        random_codes(rows, widths[0], num_bits, seed),
        random_weight(*widths[::-1], limit, seed),
    )
    scale = torch.rand(widths[1]) + 0.1
    out_grid = Grid(out_bits, 2.0, 1) if out_bits else None
    offset = torch.randn(widths[1]) if bias else None
    packed, operand = pack(codes, num_bits), LinearWeight(weight, scale, offset)
    value = (codes.float() * stride - grid.zero_point).flatten() * grid.scale
    rowptr = torch.arange(rows + 1) * widths[0]
    col = torch.arange(widths[0], dtype=torch.int32 if seed % 2 else torch.int64).repeat(rows)
    options = {"relu": relu, "out_grid": out_grid}
    entries = (rowptr, col, value, grid, operand)
    expected = linear(packed, grid, operand, backend="reference", **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QGNN_KERNEL_ISA", isa)
        dense = linear(packed, grid, operand, backend="cpu", num_threads=2, **options)
        sparse = sparse_linear(*entries, backend="cpu", num_threads=2, **options)
    reference = sparse_linear(*entries, backend="reference", **options)
    assert torch.equal(dense, expected)
    assert torch.equal(sparse, expected)
    assert torch.equal(reference, expected)


@needs_cpu
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bounds", [(-127, 128), (-10, 245), (-200, 55), (0, 255), (-255, 0)])
def test_weights_of_one_byte_around_any_zero(
    isa: str, bounds: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if isa not in cpu.available_isas():
        pytest.skip(f"this processor or build has no {isa}")
    generator = torch.Generator().manual_seed(0)
    weight = torch.randint(bounds[0], bounds[1] + 1, (21, 131), generator=generator).short()
    weight[0, 0], weight[20, 130] = bounds
    weight[7] = -weight[7]  # every output has a zero of its own
    packed, operand = pack(random_codes(6, 131, 8, seed=0), 8), LinearWeight(weight, torch.ones(21))
    expected = linear(packed, Grid(8, 0.5, 100), operand, backend="reference")
    packed[:, 131:] = 77  # behind the features: what stands there does not count
    monkeypatch.setenv("QGNN_KERNEL_ISA", isa)
    assert torch.equal(linear(packed, Grid(8, 0.5, 100), operand, backend="cpu"), expected)


@needs_cpu
@pytest.mark.parametrize("num_bits", [2, 4, 8])
def test_largest_products_do_not_overflow(num_bits: int) -> None:
    in_features, top = 32768, (1 << num_bits) - 1
    codes = torch.full((2, in_features), top, dtype=torch.uint8)
    for limit in (top, 127, 255):
        weight = torch.full((1, in_features), limit, dtype=torch.int16)
        operand = LinearWeight(weight, torch.ones(1))
        y = linear(pack(codes, num_bits), Grid(num_bits, 1.0, 0), operand, backend="cpu")
        assert y.tolist() == [[float(torch.tensor(top * limit * in_features).float())]] * 2


@needs_cpu
@pytest.mark.parametrize("isa", ISAS)
@given(
    rows=st.sampled_from((1, 4, 6)),
    inputs=st.sampled_from((1, 15, 63, 64, 65, 129, 896, 897, 3640, 3641)),
    outputs=st.sampled_from((1, 31, 64, 65, 130)),
    ends=st.booleans(),
    relu=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_two_bit_codes_with_two_bit_weights(isa, rows, inputs, outputs, ends, relu, seed) -> None:  # type: ignore[no-untyped-def]
    if isa not in cpu.available_isas():
        pytest.skip(f"this processor or build has no {isa}")
    generator = torch.Generator().manual_seed(seed)
    step = 3 if ends else 1  # 0 and 3 alone, or anything between them
    codes = torch.randint(0, 3 // step + 1, (rows, inputs), generator=generator) * step
    weight = torch.randint(0, 3 // step + 1, (outputs, inputs), generator=generator) * step
    centred = weight - torch.randint(0, 4, (outputs, 1), generator=generator)
    zero_point = seed % 4
    packed = pack(codes.byte(), 2)
    padding = pack(torch.ones_like(codes).byte() * 3, 2) ^ 255  # bits that belong to no input
    operand = LinearWeight(centred.short(), torch.ones(outputs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QGNN_KERNEL_ISA", isa)
        y = linear(packed | padding, Grid(2, 1.0, zero_point), operand, relu=relu, backend="cpu")
    expected = (codes - zero_point) @ centred.T
    assert torch.equal(y.long(), expected.clamp(min=0) if relu else expected)


@needs_cpu
def test_requantized_result_unpacks_to_rounded_values() -> None:
    codes, weight = random_codes(4, 20, 2, seed=0), random_weight(6, 20, 1, seed=1)
    grid, out_grid = Grid(2, 1.0, 1), Grid(4, 2.0, 5)
    operand = LinearWeight(weight, torch.ones(6))
    y = linear(pack(codes, 2), grid, operand, backend="cpu")
    packed = linear(pack(codes, 2), grid, operand, out_grid=out_grid, backend="cpu")
    assert torch.equal(unpack(packed, 4, 6), ((y / 2).round() + 5).clamp(0, 15).byte())


def test_quantize_pack_is_the_formula() -> None:
    x = torch.tensor([[-9.0, -0.75, -0.25, 0.25, 0.75, 9.0]])
    codes = unpack(quantize_pack(x, Grid(2, 0.5, 1), backend="reference"), 2, 6)
    assert codes.tolist() == [[0, 0, 1, 1, 3, 3]]  # 1.5 and 0.5 are rounded to even


@needs_cpu
@pytest.mark.parametrize("isa", ISAS)
@given(
    rows=st.sampled_from((0, 1, 9)),
    width=st.sampled_from(WIDTHS),
    step_grids=grids(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_quantize_pack_backends_agree(isa, rows, width, step_grids, seed) -> None:  # type: ignore[no-untyped-def]
    if isa not in cpu.available_isas():
        pytest.skip(f"this processor or build has no {isa}")
    x = random_features(rows, width, seed)
    expected = quantize_pack(x, step_grids[0], backend="reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QGNN_KERNEL_ISA", isa)
        packed = quantize_pack(x, step_grids[0], backend="cpu", num_threads=2)
    assert torch.equal(packed, expected)


def test_quantize_pack_names_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"x must be torch\.float32"):
        quantize_pack(torch.zeros(2, 3, dtype=torch.float64), Grid(2, 1.0, 1))
    with pytest.raises(ValueError, match="x must have at least 1 feature"):
        quantize_pack(torch.zeros(2, 0), Grid(2, 1.0, 1))


@pytest.fixture(params=["reference", *ISAS])
def backend(request, monkeypatch):  # type: ignore[no-untyped-def]
    """The reference, or the compiled kernels on an instruction set."""
    if request.param == "reference":
        return "reference"
    if why_unavailable("cpu") is not None or request.param not in cpu.available_isas():
        pytest.skip(f"this processor or build has no {request.param}")
    monkeypatch.setenv("QGNN_KERNEL_ISA", request.param)
    return "cpu"


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize(("width", "at"), [(1, 0), (31, 30), (32, 7), (300, 299)])
def test_floats_that_are_not_finite_are_refused(backend, value, width, at) -> None:  # type: ignore[no-untyped-def]
    x = torch.full((5, width), -3e38)
    rowptr = torch.tensor([0, 2, 2, width + 2])
    col = torch.cat([torch.tensor([0, 0]), torch.arange(width)]).int()
    entries = torch.full((width + 2,), 3e38)
    weight = LinearWeight(torch.ones(2, width, dtype=torch.int16), torch.ones(2), None)

    quantize_pack(x, Grid(2, 1.0, 1), backend=backend)
    sparse_linear(rowptr, col, entries, Grid(2, 1.0, 1), weight, backend=backend)
    x[4, at] = value
    with pytest.raises(ValueError, match="x must be finite, got NaN or infinity"):
        quantize_pack(x, Grid(2, 1.0, 1), backend=backend)
    entries[at + 2] = value
    with pytest.raises(ValueError, match="x must be finite, got NaN or infinity"):
        sparse_linear(rowptr, col, entries, Grid(2, 1.0, 1), weight, backend=backend)


@pytest.mark.parametrize("at", [0, 255, 256, 699])
@pytest.mark.parametrize(
    ("dtype", "bad"),
    [
        *((torch.int32, bad) for bad in (-1, 5, 2**31 - 1, -(2**31))),
        *((torch.int64, bad) for bad in (-1, 5, 2**31, 2**32, -(2**63), 2**63 - 1)),
    ],
)
def test_features_that_do_not_exist_are_refused(backend, dtype, at, bad) -> None:  # type: ignore[no-untyped-def]
    weight = LinearWeight(torch.ones(2, 5, dtype=torch.int16), torch.ones(2), None)
    rowptr, col = torch.tensor([0, 1, 1, 700]), torch.arange(700, dtype=dtype) % 5
    col[at] = bad
    with pytest.raises(ValueError, match=rf"col must be in 0\.\.4, got .*{bad}"):
        sparse_linear(rowptr, col, torch.ones(700), Grid(2, 1.0, 1), weight, backend=backend)


_HUGE = 2**63 - 1


@pytest.mark.parametrize(
    ("rowptr", "message"),
    [
        ([1, 2, 6], "rowptr must run from 0 to the 6 entries of col, got 1 to 6"),
        ([0, 2, 5], "rowptr must run from 0 to the 6 entries of col, got 0 to 5"),
        ([0, 4, 3, 6], "rowptr must not decrease, got a row of -1 entries"),
        ([0, -4, 6], "rowptr must not decrease, got a row of -4 entries"),
        ([0, 7, 6], "rowptr must not decrease, got a row of -1 entries"),
        ([0, _HUGE, 6], "rowptr must not decrease"),
        ([0, -_HUGE - 1, 6], "rowptr must"),
        ([0, _HUGE, -_HUGE - 1, _HUGE, 6], "rowptr must"),
    ],
)
def test_rows_that_are_malformed_are_refused(backend, rowptr, message) -> None:  # type: ignore[no-untyped-def]
    weight = LinearWeight(torch.ones(2, 5, dtype=torch.int16), torch.ones(2), None)
    arguments = (torch.zeros(6, dtype=torch.int64), torch.ones(6), Grid(2, 1.0, 1), weight)
    with pytest.raises(ValueError, match=message):
        sparse_linear(torch.tensor(rowptr), *arguments, backend=backend)


def test_rows_of_more_entries_than_fit_are_refused(backend) -> None:  # type: ignore[no-untyped-def]
    entries = (1 << 15) + 1
    weight = LinearWeight(torch.ones(1, 1, dtype=torch.int16), torch.ones(1), None)
    rowptr, col = torch.tensor([0, entries]), torch.zeros(entries, dtype=torch.int32)
    with pytest.raises(ValueError, match="a row at most 32768 entries, got 32769"):
        sparse_linear(rowptr, col, torch.ones(entries), Grid(2, 1.0, 1), weight, backend=backend)


def test_the_largest_row_does_not_overflow(backend) -> None:  # type: ignore[no-untyped-def]
    entries = 1 << 15
    weight = LinearWeight(torch.full((20, 1), 255, dtype=torch.int16), torch.ones(20), None)
    rowptr, col = torch.tensor([0, entries]), torch.zeros(entries, dtype=torch.int32)
    x = torch.full((entries,), 255.0)
    y = sparse_linear(rowptr, col, x, Grid(8, 1.0, 0), weight, backend=backend)
    assert y.tolist() == [[entries * 255 * 255] * 20]
