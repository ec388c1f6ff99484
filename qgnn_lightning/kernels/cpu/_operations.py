"""Torch tensors in, torch tensors out: one function per kernel of the library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from qgnn_lightning.kernels._constants import StepCoefficients, StepConstants, start_weight
from qgnn_lightning.kernels._graph import GraphTensors
from qgnn_lightning.kernels._grid import Grid, GridTable
from qgnn_lightning.kernels.layout import PackedLayout
from qgnn_lightning.kernels.validation import MAX_IN_FEATURES, check_rows

from ._loader import (
    Linear,
    MalformedRowsError,
    Propagation,
    check_status,
    library,
    selected_isa,
)
from ._results import empty_result

_int64 = ctypes.c_int64


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(_address(tensor))


@lru_cache(maxsize=1024)
def _inverse(scale: float) -> float:
    """As the reference rounds it."""
    return (1.0 / torch.tensor(scale, dtype=torch.float32)).item()


def neighbour_sum(
    packed: Tensor,
    rowptr: Tensor,
    col: Tensor,
    weight: Tensor | None,
    layout: PackedLayout,
    num_threads: int,
) -> Tensor:
    """Return the sums of codes over neighbours: int32, or float32 with weights."""
    packed, rowptr, col = packed.contiguous(), rowptr.contiguous(), col.contiguous()
    weight = None if weight is None else weight.contiguous()
    dtype = torch.int32 if weight is None else torch.float32
    out = torch.empty(rowptr.numel() - 1, layout.num_features, dtype=dtype)
    status = library().qgnn_neighbour_sum(
        *(_pointer(tensor) for tensor in (packed, rowptr, col, weight)),
        *(_int64(size) for size in (out.shape[0], layout.num_features, layout.row_bytes)),
        *(_int64(value) for value in (layout.num_bits, num_threads, selected_isa())),
        _pointer(out),
    )
    check_status(status)
    return out


def quantize_pack(x: Tensor, grid: Grid, num_threads: int) -> Tensor:
    """Return the packed codes of rows of floats."""
    x = x.contiguous()
    layout = PackedLayout(x.shape[1], grid.num_bits)
    out = empty_result(x.shape[0], layout.row_bytes, dtype=torch.uint8)
    status = library().qgnn_quantize_pack(
        _pointer(x),
        *(_int64(size) for size in (*x.shape, layout.row_bytes, grid.num_bits)),
        ctypes.c_float(_inverse(grid.scale)),
        *(ctypes.c_int32(value) for value in (grid.zero_point, grid.stride != 1, grid.shift)),
        *(_int64(value) for value in (num_threads, selected_isa())),
        _pointer(out),
    )
    check_status(status)
    return out


def propagate(
    x0: Tensor,
    graph: GraphTensors,
    table: GridTable,
    weights: StepCoefficients,
    delta_sigma: bool,
    residual_bits: int,
    with_codes: bool,
    num_threads: int,
    *,
    out: Tensor | None = None,
    workspace: Callable[[int], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the propagated features and, if asked for, the packed codes of every step.

    ``out`` takes the features, and ``workspace`` makes a tensor of so many bytes for all other
    state; both are made in memory unless they are given.
    """
    layout = PackedLayout(x0.shape[1], table.num_bits)
    constants = StepConstants.of(table, weights.message)
    x0 = x0.contiguous()
    out = empty_result(*x0.shape) if out is None else out
    trace = torch.empty(
        (table.num_steps if with_codes else 0, x0.shape[0], layout.row_bytes), dtype=torch.uint8
    )
    tensors = {
        **{name: getattr(graph, name).contiguous() for name in _GRAPH_FIELDS},
        **{name: getattr(constants, name).contiguous() for name in _CONSTANT_FIELDS},
        **{name: getattr(table, name).contiguous() for name in ("scale", "zero_point", "shift")},
        "ratio": constants.ratio if delta_sigma else constants.restart_ratio,
        "x0": x0,
        "out": out,
        "trace": trace if with_codes else None,
    }
    call = Propagation(
        num_nodes=x0.shape[0],
        num_features=x0.shape[1],
        row_bytes=layout.row_bytes,
        num_bits=table.num_bits,
        num_steps=table.num_steps,
        delta_sigma=delta_sigma,
        residual_bits=residual_bits,
        truncated=table.truncated,
        num_threads=num_threads,
        isa=selected_isa(),
        momentum=weights.own,
        restart=weights.restart,
        start=start_weight(weights.own, weights.restart),
        inv_restart_unit=constants.inv_restart_unit.item(),
        **{name: _address(tensor) for name, tensor in tensors.items()},
    )
    if workspace is not None:
        state = workspace(library().qgnn_propagation_bytes(ctypes.byref(call)))
        call.workspace = state.data_ptr()
    check_status(library().qgnn_propagate(ctypes.byref(call)))
    return out, trace


def linear(
    packed: Tensor,
    x_grid: Grid,
    weight: Tensor,
    factor: Tensor,
    bias: Tensor | None,
    relu: bool,
    out_grid: Grid | None,
    num_threads: int,
) -> Tensor:
    """Return the low-bit linear map of packed rows."""
    layout = PackedLayout(weight.shape[1], x_grid.num_bits)
    operands = {"x": packed.contiguous(), "weight": weight.contiguous()}
    sizes = {
        "num_rows": packed.shape[0],
        "in_features": weight.shape[1],
        "x_row_bytes": layout.row_bytes,
    }
    return _linear(
        operands, sizes, x_grid, weight.shape[0], factor, bias, relu, out_grid, num_threads
    )


def sparse_linear(
    rowptr: Tensor,
    col: Tensor,
    value: Tensor,
    x_grid: Grid,
    weight: Tensor,
    factor: Tensor,
    bias: Tensor | None,
    relu: bool,
    out_grid: Grid | None,
    num_threads: int,
) -> Tensor:
    """Return the low-bit linear map of sparse rows, checked on the way; weights ``(in, out)``."""
    operands = {
        "rowptr": rowptr.contiguous(),
        "col": col.contiguous(),
        "value": value.contiguous(),
        "weight": weight.contiguous(),
    }
    sizes = {
        "num_rows": rowptr.numel() - 1,
        "num_entries": col.numel(),
        "col_bytes": col.element_size(),
        "in_features": weight.shape[0],
    }
    try:
        return _linear(
            operands, sizes, x_grid, weight.shape[1], factor, bias, relu, out_grid, num_threads
        )
    except MalformedRowsError:
        check_rows(rowptr, col, num_columns=weight.shape[0], most_entries=MAX_IN_FEATURES)
        raise


def _linear(
    operands: dict[str, Tensor],
    sizes: dict[str, int],
    x_grid: Grid,
    out_features: int,
    factor: Tensor,
    bias: Tensor | None,
    relu: bool,
    out_grid: Grid | None,
    num_threads: int,
) -> Tensor:
    operands["factor"] = factor.contiguous()
    if bias is not None:
        operands["bias"] = bias.contiguous()
    if out_grid is None:
        out = empty_result(sizes["num_rows"], out_features)
        requantize: dict[str, float] = {}
    else:
        layout = PackedLayout(out_features, out_grid.num_bits)
        out = empty_result(sizes["num_rows"], layout.row_bytes, dtype=torch.uint8)
        requantize = {
            "out_bits": out_grid.num_bits,
            "out_row_bytes": layout.row_bytes,
            "out_zero_point": out_grid.zero_point,
            "out_inv_scale": _inverse(out_grid.scale),
        }
    operands["out" if out_grid is None else "packed"] = out
    call = Linear(
        out_features=out_features,
        relu=relu,
        num_threads=num_threads,
        isa=selected_isa(),
        x_bits=x_grid.num_bits,
        x_zero_point=x_grid.zero_point,
        x_stride=x_grid.stride,
        x_shift=x_grid.shift,
        x_inv_scale=_inverse(x_grid.scale),
        **sizes,
        **requantize,
        **{name: _address(tensor) for name, tensor in operands.items()},
    )
    check_status(library().qgnn_linear(ctypes.byref(call)))
    return out


_GRAPH_FIELDS = ("rowptr", "col", "inv_degree", "inv_sqrt_degree", "sqrt_degree")
_CONSTANT_FIELDS = ("inv_scale", "gain", "unit", "inv_unit", "message_gain")
