"""Calls of the library: what stays the same from one to the next is filled in once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, lru_cache

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

_GRAPH_FIELDS = ("rowptr", "col", "inv_degree", "inv_sqrt_degree", "sqrt_degree")
_CONSTANT_FIELDS = ("inv_scale", "gain", "unit", "inv_unit", "message_gain")
_TABLE_FIELDS = ("scale", "zero_point", "shift")


@lru_cache(maxsize=1024)
def inverse(scale: float) -> float:
    """As the reference rounds it."""
    return (1.0 / torch.tensor(scale, dtype=torch.float32)).item()


@cache
def _row_bytes(num_features: int, num_bits: int) -> int:
    return PackedLayout(num_features, num_bits).row_bytes


def _addresses(tensors: dict[str, Tensor]) -> dict[str, int]:
    return {name: tensor.data_ptr() for name, tensor in tensors.items()}


class LinearCall:
    """A low-bit linear map without its input.

    Args:
        x_grid: Grid of the input.
        weight: Centred codes, int16; with one row for every input where it is for sparse rows.
        factor: What a product is worth.
        bias: Added to the result, if there is one.
        relu: Whether to replace negative results by 0.
        out_grid: Where to quantize the result, if it is to be packed.
        sparse: Whether the input will be sparse rows.

    Shapes:
        weight: ``(out, in)``, ``(in, out)`` if ``sparse``; factor, bias: ``(out,)``
    """

    def __init__(
        self,
        x_grid: Grid,
        weight: Tensor,
        factor: Tensor,
        bias: Tensor | None,
        relu: bool,
        out_grid: Grid | None,
        *,
        sparse: bool,
    ) -> None:
        out_features = factor.numel()
        self._in_features = weight.shape[0 if sparse else 1]
        self._tensors = {"weight": weight.contiguous(), "factor": factor.contiguous()}
        if bias is not None:
            self._tensors["bias"] = bias.contiguous()
        self._record = Linear(
            in_features=self._in_features,
            out_features=out_features,
            relu=relu,
            x_bits=x_grid.num_bits,
            x_row_bytes=0 if sparse else _row_bytes(self._in_features, x_grid.num_bits),
            x_zero_point=x_grid.zero_point,
            x_stride=x_grid.stride,
            x_shift=x_grid.shift,
            x_inv_scale=inverse(x_grid.scale),
            **_addresses(self._tensors),
        )
        self._columns, self._packs = out_features, out_grid is not None
        if out_grid is not None:
            self._columns = _row_bytes(out_features, out_grid.num_bits)
            self._record.out_bits = out_grid.num_bits
            self._record.out_row_bytes = self._columns
            self._record.out_zero_point = out_grid.zero_point
            self._record.out_inv_scale = inverse(out_grid.scale)

    def packed(self, x: Tensor, num_threads: int) -> Tensor:
        """Return the map of packed rows."""
        x = x.contiguous()
        record = Linear.from_buffer_copy(self._record)
        record.num_rows = x.shape[0]
        record.x = x.data_ptr()
        return self._run(record, num_threads)

    def sparse(self, rowptr: Tensor, col: Tensor, value: Tensor, num_threads: int) -> Tensor:
        """Return the map of sparse rows, checked on the way."""
        rowptr, col, value = rowptr.contiguous(), col.contiguous(), value.contiguous()
        record = Linear.from_buffer_copy(self._record)
        record.num_rows = rowptr.numel() - 1
        record.num_entries = col.numel()
        record.col_bytes = col.element_size()
        record.rowptr, record.col = rowptr.data_ptr(), col.data_ptr()
        record.value = value.data_ptr()
        try:
            return self._run(record, num_threads)
        except MalformedRowsError:
            columns = self._in_features
            check_rows(rowptr, col, num_columns=columns, most_entries=MAX_IN_FEATURES)
            raise

    def _run(self, record: Linear, num_threads: int) -> Tensor:
        dtype = torch.uint8 if self._packs else torch.float32
        out = empty_result(record.num_rows, self._columns, dtype=dtype)
        setattr(record, "packed" if self._packs else "out", out.data_ptr())
        record.num_threads = num_threads
        record.isa = selected_isa()
        check_status(library().qgnn_linear(ctypes.byref(record)))
        return out


class PropagationCall:
    """All steps of a propagation without its input.

    Args:
        graph: Neighbours and degree factors.
        table: Grids of all steps.
        weights: Weights of a step.
        delta_sigma: Whether in the delta-sigma form.
        residual_bits: Bits of its residual.
    """

    def __init__(
        self,
        graph: GraphTensors,
        table: GridTable,
        weights: StepCoefficients,
        delta_sigma: bool,
        residual_bits: int,
    ) -> None:
        constants = StepConstants.of(table, weights.message)
        self._num_bits = table.num_bits
        self._tensors = {
            **{name: getattr(graph, name).contiguous() for name in _GRAPH_FIELDS},
            **{name: getattr(constants, name).contiguous() for name in _CONSTANT_FIELDS},
            **{name: getattr(table, name).contiguous() for name in _TABLE_FIELDS},
            "ratio": constants.ratio if delta_sigma else constants.restart_ratio,
        }
        self._record = Propagation(
            num_bits=table.num_bits,
            num_steps=table.num_steps,
            delta_sigma=delta_sigma,
            residual_bits=residual_bits,
            truncated=table.truncated,
            momentum=weights.own,
            restart=weights.restart,
            start=start_weight(weights.own, weights.restart),
            inv_restart_unit=constants.inv_restart_unit.item(),
            **_addresses(self._tensors),
        )

    def __call__(
        self,
        x0: Tensor,
        num_threads: int,
        *,
        trace: Tensor | None = None,
        out: Tensor | None = None,
        workspace: Callable[[int], Tensor] | None = None,
    ) -> Tensor:
        """Return the propagated features.

        ``out`` takes them, ``trace`` the packed codes of every step, and ``workspace`` makes a
        tensor of so many bytes for all other state, which is made in memory unless it is given.
        """
        x0 = x0.contiguous()
        record = Propagation.from_buffer_copy(self._record)
        record.num_nodes, record.num_features = x0.shape
        record.row_bytes = _row_bytes(record.num_features, self._num_bits)
        record.num_threads = num_threads
        record.isa = selected_isa()
        out = empty_result(*x0.shape) if out is None else out
        record.x0, record.out = x0.data_ptr(), out.data_ptr()
        if trace is not None:
            record.trace = trace.data_ptr()
        if workspace is not None:
            state = workspace(library().qgnn_propagation_bytes(ctypes.byref(record)))
            record.workspace = state.data_ptr()
        check_status(library().qgnn_propagate(ctypes.byref(record)))
        return out
