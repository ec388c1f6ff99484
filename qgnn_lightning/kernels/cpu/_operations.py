"""Torch tensors in, torch tensors out: one function per kernel of the library."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from .._constants import StepCoefficients, StepConstants, start_weight
from .._graph import PackedGraph
from .._grid import GridTable
from ..layout import PackedLayout
from ._loader import Propagation, check_status, library, selected_isa

_int64 = ctypes.c_int64


def _pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def _sum(
    packed: Tensor,
    rowptr: Tensor,
    col: Tensor,
    weight: Tensor | None,
    layout: PackedLayout,
    num_threads: int,
) -> Tensor:
    dtype = torch.int32 if weight is None else torch.float32
    packed, rowptr, col = packed.contiguous(), rowptr.contiguous(), col.contiguous()
    weight = None if weight is None else weight.contiguous()
    out = torch.empty(rowptr.numel() - 1, layout.num_features, dtype=dtype)
    status = library().qgnn_neighbour_sum(
        *(_pointer(tensor) for tensor in (packed, rowptr, col, weight)),
        *(_int64(size) for size in (out.shape[0], layout.num_features, layout.row_bytes)),
        *(_int64(value) for value in (layout.num_bits, num_threads, selected_isa())),
        _pointer(out),
    )
    check_status(status)
    return out


def neighbour_sum(
    packed: Tensor, rowptr: Tensor, col: Tensor, layout: PackedLayout, num_threads: int
) -> Tensor:
    """Return the int32 sums of codes over neighbours."""
    return _sum(packed, rowptr, col, None, layout, num_threads)


def weighted_neighbour_sum(
    packed: Tensor,
    rowptr: Tensor,
    col: Tensor,
    weight: Tensor,
    layout: PackedLayout,
    num_threads: int,
) -> Tensor:
    """Return the float32 weighted sums of codes over neighbours."""
    return _sum(packed, rowptr, col, weight, layout, num_threads)


def propagate(
    x0: Tensor,
    graph: PackedGraph,
    table: GridTable,
    weights: StepCoefficients,
    delta_sigma: bool,
    residual_bits: int,
    with_codes: bool,
    num_threads: int,
) -> tuple[Tensor, Tensor]:
    """Return the propagated features and, if asked for, the packed codes of every step."""
    layout = PackedLayout(x0.shape[1], table.num_bits)
    constants = StepConstants.of(table, weights.message, residual_bits)
    x0 = x0.contiguous()
    out = torch.empty_like(x0)
    trace = torch.empty(
        (table.num_steps if with_codes else 0, x0.shape[0], layout.row_bytes), dtype=torch.uint8
    )
    tensors = {
        **{name: getattr(graph, name).contiguous() for name in _GRAPH_FIELDS},
        **{name: getattr(constants, name).contiguous() for name in _CONSTANT_FIELDS},
        **{name: getattr(table, name).contiguous() for name in ("scale", "zero_point", "shift")},
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
        **{name: _pointer(tensor) for name, tensor in tensors.items()},
    )
    check_status(library().qgnn_propagate(ctypes.byref(call)))
    return out, trace


_GRAPH_FIELDS = ("rowptr", "col", "inv_degree", "inv_sqrt_degree", "sqrt_degree")
_CONSTANT_FIELDS = ("inv_scale", "gain", "residual_unit", "inv_residual_unit")
