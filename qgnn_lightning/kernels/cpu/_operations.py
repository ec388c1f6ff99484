"""Torch tensors in, torch tensors out: one function per kernel of the library."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from qgnn_lightning.kernels._constants import StepCoefficients
from qgnn_lightning.kernels._graph import GraphTensors
from qgnn_lightning.kernels._grid import Grid, GridTable
from qgnn_lightning.kernels.layout import PackedLayout

from ._calls import PropagationCall, inverse
from ._graph_order import Graph
from ._loader import check_status, library, selected_isa
from ._results import empty_result

_int64 = ctypes.c_int64


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(_address(tensor))


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
    out = torch.empty(rowptr.numel() - 1, layout.num_features, dtype=dtype, device="cpu")
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
        ctypes.c_float(inverse(grid.scale)),
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
) -> tuple[Tensor, Tensor]:
    """Return the propagated features and, if asked for, the packed codes of every step."""
    row_bytes = PackedLayout(x0.shape[1], table.num_bits).row_bytes
    steps = table.num_steps if with_codes else 0
    trace = torch.empty((steps, x0.shape[0], row_bytes), dtype=torch.uint8, device="cpu")
    call = PropagationCall(Graph(graph), table, weights, delta_sigma, residual_bits)
    return call(x0, num_threads, trace=trace if with_codes else None), trace
