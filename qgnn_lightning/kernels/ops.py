# ruff: noqa: ARG001  (a fake implementation has the signature of its operator)
"""The operations as torch operators ``qgnn::…``, so that they can be traced and exported.

Arguments are tensors and plain numbers, already checked by `api`; only whether floats are finite,
and rows of features well-formed, is found out on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from . import backends, cpu, reference
from ._constants import StepCoefficients
from ._graph import GraphTensors
from ._grid import Grid, GridTable
from .layout import PackedLayout
from .validation import MAX_IN_FEATURES, check_finite, check_rows

# torch's own decorator for operators takes 10 microseconds a call, where this takes 3.
_LIBRARY = torch.library.Library("qgnn", "DEF")  # type: ignore[no-untyped-call]


def _operator(implementation: Callable[..., Any]) -> Callable[..., Any]:
    name = implementation.__name__
    schema = torch.library.infer_schema(implementation, mutates_args=())
    torch.library.define(f"qgnn::{name}", schema, lib=_LIBRARY)
    register = torch.library.impl(f"qgnn::{name}", "CompositeExplicitAutograd", lib=_LIBRARY)
    register(implementation)
    return cast(Callable[..., Any], getattr(torch.ops.qgnn, name).default)


def _fake(name: str) -> Callable[..., Any]:
    return cast(Callable[..., Any], torch.library.register_fake(f"qgnn::{name}", lib=_LIBRARY))


@_operator
def pack(codes: Tensor, num_bits: int) -> Tensor:
    """Pack codes into rows of bytes."""
    return reference.pack(codes, num_bits)


@_fake("pack")
def _(codes: Tensor, num_bits: int) -> Tensor:
    row_bytes = PackedLayout(codes.shape[1], num_bits).row_bytes
    return codes.new_empty((codes.shape[0], row_bytes))


@_operator
def unpack(packed: Tensor, num_bits: int, num_features: int) -> Tensor:
    """Return the codes of rows of bytes."""
    return reference.unpack(packed, num_bits, num_features)


@_fake("unpack")
def _(packed: Tensor, num_bits: int, num_features: int) -> Tensor:
    return packed.new_empty((packed.shape[0], num_features))


@_operator
def quantize_pack(
    x: Tensor,
    num_bits: int,
    scale: float,
    zero_point: int,
    stride: int,
    shift: int,
    num_threads: int,
    backend: str,
) -> Tensor:
    """Quantize rows of floats and pack their codes."""
    grid = Grid(num_bits, scale, zero_point, stride, shift)
    if backends.resolve(backend, x.device) == "cpu":
        return cpu.quantize_pack(x, grid, num_threads)
    check_finite(x)
    return reference.quantize_pack(x, grid)


@_fake("quantize_pack")
def _(
    x: Tensor,
    num_bits: int,
    scale: float,
    zero_point: int,
    stride: int,
    shift: int,
    num_threads: int,
    backend: str,
) -> Tensor:
    row_bytes = PackedLayout(x.shape[1], num_bits).row_bytes
    return x.new_empty((x.shape[0], row_bytes), dtype=torch.uint8)


@_operator
def neighbour_sum(
    packed: Tensor,
    rowptr: Tensor,
    col: Tensor,
    weight: Tensor | None,
    num_bits: int,
    num_features: int,
    num_threads: int,
    backend: str,
) -> Tensor:
    """Sum codes over neighbours."""
    chosen = backends.resolve(backend, packed.device)
    layout = PackedLayout(num_features, num_bits)
    if chosen == "cpu":
        return cpu.neighbour_sum(packed, rowptr, col, weight, layout, num_threads)
    if chosen == "triton" and weight is None:
        from . import gpu

        return gpu.neighbour_sum(packed, rowptr, col, layout)
    if weight is None:
        return reference.neighbour_sum(packed, rowptr, col, num_bits, num_features)
    return reference.weighted_neighbour_sum(packed, rowptr, col, weight, num_bits, num_features)


@_fake("neighbour_sum")
def _(
    packed: Tensor,
    rowptr: Tensor,
    col: Tensor,
    weight: Tensor | None,
    num_bits: int,
    num_features: int,
    num_threads: int,
    backend: str,
) -> Tensor:
    dtype = torch.int32 if weight is None else torch.float32
    return packed.new_empty((rowptr.shape[0] - 1, num_features), dtype=dtype)


def _out_grid(num_bits: int, scale: float, zero_point: int) -> Grid | None:
    return None if num_bits == 0 else Grid(num_bits, scale, zero_point)


def _fake_linear(like: Tensor, rows: int, out_features: int, out_bits: int) -> Tensor:
    if out_bits == 0:
        return like.new_empty((rows, out_features), dtype=torch.float32)
    row_bytes = PackedLayout(out_features, out_bits).row_bytes
    return like.new_empty((rows, row_bytes), dtype=torch.uint8)


@_operator
def linear(
    packed: Tensor,
    x_bits: int,
    x_scale: float,
    x_zero_point: int,
    x_stride: int,
    weight: Tensor,
    factor: Tensor,
    bias: Tensor | None,
    relu: bool,
    out_bits: int,
    out_scale: float,
    out_zero_point: int,
    num_threads: int,
    backend: str,
) -> Tensor:
    """Low-bit linear map of packed rows; ``out_bits`` 0 means a float result."""
    x_grid = Grid(x_bits, x_scale, x_zero_point, x_stride)
    out_grid = _out_grid(out_bits, out_scale, out_zero_point)
    if backends.resolve(backend, packed.device) == "cpu":
        call = cpu.LinearCall(x_grid, weight, factor, bias, relu, out_grid, sparse=False)
        return call(cpu.PackedRows(packed), num_threads)
    codes = reference.unpack(packed, x_bits, weight.shape[1])
    totals = reference.linear_totals(codes, x_grid, weight)
    return reference.linear_epilogue(totals, factor, bias, relu, out_grid)


@_fake("linear")
def _(
    packed: Tensor,
    x_bits: int,
    x_scale: float,
    x_zero_point: int,
    x_stride: int,
    weight: Tensor,
    factor: Tensor,
    bias: Tensor | None,
    relu: bool,
    out_bits: int,
    out_scale: float,
    out_zero_point: int,
    num_threads: int,
    backend: str,
) -> Tensor:
    return _fake_linear(packed, packed.shape[0], weight.shape[0], out_bits)


@_operator
def sparse_linear(
    rowptr: Tensor,
    col: Tensor,
    value: Tensor,
    x_bits: int,
    x_scale: float,
    x_zero_point: int,
    x_stride: int,
    x_shift: int,
    weight: Tensor,
    factor: Tensor,
    bias: Tensor | None,
    relu: bool,
    out_bits: int,
    out_scale: float,
    out_zero_point: int,
    num_threads: int,
    backend: str,
) -> Tensor:
    """Low-bit linear map of sparse rows; weights ``(in, out)``; ``out_bits`` 0: a float result."""
    x_grid = Grid(x_bits, x_scale, x_zero_point, x_stride, x_shift)
    out_grid = _out_grid(out_bits, out_scale, out_zero_point)
    if backends.resolve(backend, col.device) == "cpu":
        call = cpu.LinearCall(x_grid, weight, factor, bias, relu, out_grid, sparse=True)
        return call(cpu.SparseRows(rowptr, col, value), num_threads)
    check_rows(rowptr, col, num_columns=weight.shape[0], most_entries=MAX_IN_FEATURES)
    check_finite(value)
    totals = reference.sparse_linear_totals(rowptr, col, value, x_grid, weight)
    return reference.linear_epilogue(totals, factor, bias, relu, out_grid)


@_fake("sparse_linear")
def _(
    rowptr: Tensor,
    col: Tensor,
    value: Tensor,
    x_bits: int,
    x_scale: float,
    x_zero_point: int,
    x_stride: int,
    x_shift: int,
    weight: Tensor,
    factor: Tensor,
    bias: Tensor | None,
    relu: bool,
    out_bits: int,
    out_scale: float,
    out_zero_point: int,
    num_threads: int,
    backend: str,
) -> Tensor:
    return _fake_linear(value, rowptr.shape[0] - 1, weight.shape[1], out_bits)


@_operator
def propagate(
    x0: Tensor,
    rowptr: Tensor,
    col: Tensor,
    inv_degree: Tensor,
    inv_sqrt_degree: Tensor,
    sqrt_degree: Tensor,
    scale: Tensor,
    zero_point: Tensor,
    shift: Tensor,
    num_bits: int,
    truncated: bool,
    own: float,
    message: float,
    restart: float,
    delta_sigma: bool,
    residual_bits: int,
    with_codes: bool,
    num_threads: int,
    backend: str,
) -> tuple[Tensor, Tensor]:
    """Run all propagation steps; also return the packed codes of every step, or none."""
    graph = GraphTensors(rowptr, col, inv_degree, inv_sqrt_degree, sqrt_degree)
    table = GridTable(num_bits, truncated, scale, zero_point, shift)
    weights = StepCoefficients(own, message, restart)
    arguments = (x0, graph, table, weights, delta_sigma, residual_bits, with_codes)
    chosen = backends.resolve(backend, x0.device)
    if chosen == "cpu":
        return cpu.propagate(*arguments, num_threads)
    if chosen == "triton":
        from . import gpu

        return gpu.propagate(*arguments)
    return reference.propagate(*arguments)


@_fake("propagate")
def _(
    x0: Tensor,
    rowptr: Tensor,
    col: Tensor,
    inv_degree: Tensor,
    inv_sqrt_degree: Tensor,
    sqrt_degree: Tensor,
    scale: Tensor,
    zero_point: Tensor,
    shift: Tensor,
    num_bits: int,
    truncated: bool,
    own: float,
    message: float,
    restart: float,
    delta_sigma: bool,
    residual_bits: int,
    with_codes: bool,
    num_threads: int,
    backend: str,
) -> tuple[Tensor, Tensor]:
    row_bytes = PackedLayout(x0.shape[1], num_bits).row_bytes
    steps = scale.shape[0] if with_codes else 0
    codes = x0.new_empty((steps, x0.shape[0], row_bytes), dtype=torch.uint8)
    return x0.new_empty(x0.shape), codes
