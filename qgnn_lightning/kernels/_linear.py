"""The public low-bit linear maps: check the arguments, then call the operator."""

from __future__ import annotations

import torch
from torch import Tensor

from . import ops
from ._grid import Grid
from ._weight import LinearWeight
from .backends import BACKENDS, Backend
from .layout import PackedLayout
from .validation import (
    check_choice,
    check_is_tensor,
    check_no_gradient,
    check_num_threads,
    check_packed,
    check_rowptr,
    check_tensor,
    check_vector,
)


def linear(
    packed: Tensor,
    x_grid: Grid,
    weight: LinearWeight,
    *,
    relu: bool = False,
    out_grid: Grid | None = None,
    num_threads: int | None = None,
    backend: Backend = "auto",
) -> Tensor:
    r"""Linear map of packed codes, exact in integers up to the last scaling.

    .. math:: T_{no} = \sum_f c^x_{nf} c^w_{of}, \qquad y_{no} = T_{no} (s_x s^w_o) + \text{bias}_o

    Args:
        packed: Packed codes of the input.
        x_grid: Their grid.
        weight: The weights.
        relu: Replace negative results by 0.
        out_grid: Quantize the result on this grid and pack it.
        num_threads: Threads of the CPU backend; by default ``torch.get_num_threads()``, fewer for
            little work.
        backend: ``auto``, or the one to run; ``triton`` uses torch's matrix product here.

    Shapes:
        packed: ``(rows, row_bytes)`` -> float32 ``(rows, out)``, or uint8 ``(rows, row_bytes)``
        with ``out_grid``

    Raises:
        TypeError: If what should be a tensor is none.
        ValueError: If an argument breaks these rules.
        BackendUnavailableError: If the backend named cannot run here.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    check_packed("packed", packed, PackedLayout(weight.in_features, x_grid.num_bits))
    threads = check_num_threads(num_threads, weight.count_operations(rows=packed.shape[0]))
    x_arguments = (x_grid.num_bits, x_grid.scale, x_grid.zero_point, x_grid.stride)
    result: Tensor = ops.linear(
        packed,
        *x_arguments,
        weight.codes,
        weight.factor(x_grid.scale),
        weight.bias,
        relu,
        *_out_arguments(out_grid),
        threads,
        backend,
    )
    return result


def sparse_linear(
    rowptr: Tensor,
    col: Tensor,
    value: Tensor,
    x_grid: Grid,
    weight: LinearWeight,
    *,
    relu: bool = False,
    out_grid: Grid | None = None,
    num_threads: int | None = None,
    backend: Backend = "auto",
) -> Tensor:
    r"""Quantize the entries of sparse rows and map them; the formula of `linear`.

    Args:
        rowptr: int64, first entry of every row, which has at most 32,768.
        col: int32 or int64, feature of every entry; entries of the same one are quantized one by
            one.
        value: float32 entries, finite; what is not an entry counts as real 0.
        x_grid: Where to quantize them.
        weight: The weights.
        relu: Replace negative results by 0.
        out_grid: Quantize the result on this grid and pack it.
        num_threads: Threads of the CPU backend; by default ``torch.get_num_threads()``, fewer for
            little work.
        backend: ``auto``, or the one to run; ``triton`` uses torch's embedding bag here.

    Shapes:
        rowptr: ``(rows + 1,)``; col, value: ``(entries,)`` -> as `linear`

    Raises:
        TypeError: If what should be a tensor is none.
        ValueError: If an argument breaks these rules, or an entry is NaN or infinite.
        BackendUnavailableError: If the backend named cannot run here.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    check_sparse_rows(rowptr, col, value)
    threads = check_num_threads(num_threads, weight.count_operations(entries=col.numel()))
    x_arguments = (x_grid.num_bits, x_grid.scale, x_grid.zero_point, x_grid.stride, x_grid.shift)
    result: Tensor = ops.sparse_linear(
        rowptr,
        col,
        value,
        *x_arguments,
        weight.by_input,
        weight.factor(x_grid.scale),
        weight.bias,
        relu,
        *_out_arguments(out_grid),
        threads,
        backend,
    )
    return result


def check_dense_rows(x: Tensor, in_features: int) -> None:
    """Raise ``ValueError`` unless type and shape are those of rows of floats."""
    check_tensor("x", x, torch.float32, 2)
    check_no_gradient("x", x)
    if x.shape[1] != in_features:
        raise ValueError(f"x must have {in_features} features, got {x.shape[1]}")


def check_sparse_rows(rowptr: Tensor, col: Tensor, value: Tensor) -> None:
    """Raise ``ValueError`` unless types and sizes are those of sparse rows; see `sparse_linear`."""
    check_rowptr(rowptr)
    check_is_tensor("col", col)
    if col.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"col must be torch.int32 or torch.int64, got {col.dtype}")
    check_tensor("col", col, col.dtype, 1)
    check_vector("value", value, torch.float32, col.numel())
    check_no_gradient("value", value)


def check_out_grid(out_grid: Grid | None) -> None:
    """Raise ``ValueError`` if results cannot be quantized on a grid."""
    if out_grid is not None and out_grid.stride != 1:
        raise ValueError(f"out_grid must have stride 1, got {out_grid.stride}")


def _out_arguments(out_grid: Grid | None) -> tuple[int, float, int]:
    check_out_grid(out_grid)
    if out_grid is None:
        return 0, 1.0, 0
    return out_grid.num_bits, out_grid.scale, out_grid.zero_point
