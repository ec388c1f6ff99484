"""Calls of the library: what stays the same from one to the next is filled in once.

So is the instruction set, as the environment has it when a call is made ready.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Protocol

import torch
from torch import Tensor

from qgnn_lightning.kernels._constants import StepCoefficients, StepConstants, start_weight
from qgnn_lightning.kernels._grid import Grid, GridTable
from qgnn_lightning.kernels.layout import PackedLayout
from qgnn_lightning.kernels.validation import MAX_IN_FEATURES, check_rows

from ._graph_order import Graph
from ._loader import (
    Linear,
    MalformedRowsError,
    Network,
    Propagation,
    check_status,
    library,
    selected_isa,
)
from ._results import empty_result

_CONSTANT_FIELDS = ("inv_scale", "gain", "unit", "inv_unit", "message_gain")
_TABLE_FIELDS = ("scale", "zero_point", "shift")


@lru_cache(maxsize=1024)
def inverse(scale: float) -> float:
    """As the reference rounds it."""
    return (1.0 / torch.tensor(scale, dtype=torch.float32, device="cpu")).item()


@cache
def _row_bytes(num_features: int, num_bits: int) -> int:
    return PackedLayout(num_features, num_bits).row_bytes


def _addresses(tensors: dict[str, Tensor]) -> dict[str, int]:
    return {name: tensor.data_ptr() for name, tensor in tensors.items()}


class Made:
    """What the library makes of a record for later calls.

    Args:
        name: What it makes: ``row_groups`` or ``linear_weights``.
        record: The call, without its input.
    """

    def __init__(self, name: str, record: ctypes.Structure) -> None:
        lib = library()
        #: Valid as long as this object lives; ``None`` if the library made nothing.
        self.address: int | None = getattr(lib, f"qgnn_make_{name}")(ctypes.byref(record))
        forget = getattr(lib, f"qgnn_forget_{name}")
        weakref.finalize(self, forget, self.address).atexit = False


class Rows(Protocol):
    """What a linear map reads."""

    def fill(self, record: Linear) -> None:
        """Enter the rows into a call."""

    def check(self, status: int, in_features: int) -> None:
        """Raise the error of a call that failed."""


class PackedRows:
    """Rows of packed codes.

    Args:
        packed: The rows.
    """

    def __init__(self, packed: Tensor) -> None:
        self._packed = packed.contiguous()

    def fill(self, record: Linear) -> None:
        record.num_rows = self._packed.shape[0]
        record.x = self._packed.data_ptr()

    def check(self, status: int, in_features: int) -> None:
        check_status(status)


class DenseRows:
    """Rows of floats, which the library packs as it reads them.

    Args:
        x: The rows.
    """

    def __init__(self, x: Tensor) -> None:
        self._x = x.contiguous()

    def fill(self, record: Linear) -> None:
        record.num_rows = self._x.shape[0]
        record.dense = self._x.data_ptr()

    def check(self, status: int, in_features: int) -> None:
        check_status(status)


class SparseRows:
    """Rows of floats in CSR, which the library checks as it reads them.

    Args:
        rowptr: First entry of every row, int64.
        col: Column of every entry, int32 or int64.
        value: The entries, float32.
    """

    def __init__(self, rowptr: Tensor, col: Tensor, value: Tensor) -> None:
        self._rowptr, self._col = rowptr.contiguous(), col.contiguous()
        self._value = value.contiguous()

    def fill(self, record: Linear) -> None:
        record.num_rows = self._rowptr.numel() - 1
        record.num_entries = self._col.numel()
        record.col_bytes = self._col.element_size()
        record.rowptr, record.col = self._rowptr.data_ptr(), self._col.data_ptr()
        record.value = self._value.data_ptr()

    def check(self, status: int, in_features: int) -> None:
        try:
            check_status(status)
        except MalformedRowsError:
            rows = self._rowptr, self._col
            check_rows(*rows, num_columns=in_features, most_entries=MAX_IN_FEATURES)
            raise


class LinearCall:
    """A low-bit linear map without its input.

    The weights for sparse rows are used where they lie now: later calls need some that nobody else
    can move. All else is copied.

    Args:
        x_grid: Grid of the input.
        weight: Centred codes, int16; for sparse rows one row for every input, int8 or int16.
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
        in_features, out_features = weight.shape[0 if sparse else 1], factor.numel()
        tensors = {"weight": weight.contiguous(), "factor": factor.contiguous()}
        if bias is not None:
            tensors["bias"] = bias.contiguous()
        self.record = Linear(
            in_features=in_features,
            out_features=out_features,
            weight_bytes=weight.element_size(),
            isa=selected_isa(),
            relu=relu,
            sparse=sparse,
            x_bits=x_grid.num_bits,
            x_row_bytes=0 if sparse else _row_bytes(in_features, x_grid.num_bits),
            x_zero_point=x_grid.zero_point,
            x_stride=x_grid.stride,
            x_shift=x_grid.shift,
            x_inv_scale=inverse(x_grid.scale),
            **_addresses(tensors),
        )
        self._laid_out = Made("linear_weights", self.record)
        if self._laid_out.address is None:
            raise MemoryError("the weights of a linear map do not fit into memory")
        self.record.laid_out = self._laid_out.address
        self._weight = tensors["weight"] if sparse else None
        self.columns, self.packs = out_features, out_grid is not None
        if out_grid is not None:
            self.columns = _row_bytes(out_features, out_grid.num_bits)
            self.record.out_bits = out_grid.num_bits
            self.record.out_row_bytes = self.columns
            self.record.out_zero_point = out_grid.zero_point
            self.record.out_inv_scale = inverse(out_grid.scale)

    def __call__(self, rows: Rows, num_threads: int) -> Tensor:
        """Return the map of rows, sparse or not, as they were announced."""
        record = Linear.from_buffer_copy(self.record)
        rows.fill(record)
        out = empty_result(
            record.num_rows, self.columns, dtype=torch.uint8 if self.packs else torch.float32
        )
        setattr(record, "packed" if self.packs else "out", out.data_ptr())
        record.num_threads = num_threads
        rows.check(library().qgnn_linear(ctypes.byref(record)), record.in_features)
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
        graph: Graph,
        table: GridTable,
        weights: StepCoefficients,
        delta_sigma: bool,
        residual_bits: int,
    ) -> None:
        constants = StepConstants.of(table, weights.message)
        self._graph = graph
        self._tensors = {
            **{name: getattr(constants, name).contiguous() for name in _CONSTANT_FIELDS},
            **{name: getattr(table, name).contiguous() for name in _TABLE_FIELDS},
            "ratio": constants.ratio if delta_sigma else constants.restart_ratio,
        }
        self.record = Propagation(
            isa=selected_isa(),
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
        record = Propagation.from_buffer_copy(self.record)
        record.num_features = x0.shape[1]
        self.take_graph(record)
        record.row_bytes = _row_bytes(record.num_features, record.num_bits)
        record.num_threads = num_threads
        out = empty_result(*x0.shape) if out is None else out
        record.x0, record.out = x0.data_ptr(), out.data_ptr()
        if trace is not None:
            record.trace = trace.data_ptr()
        if workspace is not None:
            state = workspace(library().qgnn_propagation_bytes(ctypes.byref(record)))
            record.workspace = state.data_ptr()
        check_status(library().qgnn_propagate(ctypes.byref(record)))
        return out

    def take_graph(self, record: Propagation) -> None:
        """Enter the graph into a call: where it lies now, as torch moves what processes share."""
        fields = self._graph.fields(record.num_features)
        record.num_nodes = fields["rowptr"].numel() - 1
        for name, tensor in fields.items():
            setattr(record, name, tensor.data_ptr())


class NetworkCall:
    """Two linear maps and the propagation of what they return, without their input.

    Args:
        encoder: The first map, to packed rows.
        classifier: The second map, to floats.
        propagation: The propagation.
    """

    def __init__(
        self, encoder: LinearCall, classifier: LinearCall, propagation: PropagationCall
    ) -> None:
        self._maps, self._propagation = (encoder, classifier), propagation
        self._record = Network(encoder.record, classifier.record, propagation.record)
        record = self._record.propagation
        record.num_features = classifier.columns
        record.row_bytes = _row_bytes(record.num_features, record.num_bits)
        propagation.take_graph(record)
        self._groups = Made("row_groups", record)
        record.groups = self._groups.address

    def __call__(self, rows: Rows, num_threads: Sequence[int]) -> Tensor:
        """Return the propagated class scores of rows."""
        record = Network.from_buffer_copy(self._record)
        encoder, classifier, propagation = record.encoder, record.classifier, record.propagation
        rows.fill(encoder)
        self._propagation.take_graph(propagation)
        num_rows = encoder.num_rows
        hidden_bytes = encoder.out_row_bytes * num_rows
        out = empty_result(num_rows, classifier.out_features)
        between = empty_result(hidden_bytes + out.nbytes, dtype=torch.uint8)
        hidden = between.data_ptr()
        scores = hidden + hidden_bytes  # aligned, as rows of codes have a multiple of 16 bytes
        encoder.packed = classifier.x = hidden
        classifier.out = propagation.x0 = scores
        propagation.out = out.data_ptr()
        classifier.num_rows = num_rows
        encoder.num_threads, classifier.num_threads, propagation.num_threads = num_threads
        rows.check(library().qgnn_network(ctypes.byref(record)), encoder.in_features)
        return out
