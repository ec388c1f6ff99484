"""The public operations: check the arguments, then call the operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from . import ops
from ._constants import StepCoefficients
from ._graph import PackedGraph
from ._grid import Grid, GridTable
from .backends import BACKENDS
from .layout import PackedLayout
from .validation import (
    MAX_IN_FEATURES,
    check_choice,
    check_codes,
    check_csr,
    check_num_threads,
    check_packed,
    check_tensor,
    check_vector,
)

Backend = Literal["auto", "reference", "cpu", "triton"]
Form = Literal["direct", "delta_sigma"]


class Propagated(NamedTuple):
    """Result of `propagate`.

    Args:
        features: float32 ``(num_nodes, num_features)``.
        codes: Packed codes of every step ``(num_steps, num_nodes, row_bytes)``, or none of them.
    """

    features: Tensor
    codes: Tensor


def pack(codes: Tensor, num_bits: int) -> Tensor:
    """Pack codes along the feature axis; see `PackedLayout`.

    Args:
        codes: uint8, below ``2 ** num_bits``.
        num_bits: 2, 4 or 8.

    Shapes:
        codes: ``(rows, features)`` -> ``(rows, row_bytes)``

    Returns:
        uint8; bits that belong to no feature are 0.

    Raises:
        ValueError: If ``codes`` has the wrong type or shape or holds a larger code.
    """
    check_codes(codes, num_bits)
    packed: Tensor = ops.pack(codes, num_bits)
    return packed


def quantize_pack(
    x: Tensor, grid: Grid, *, num_threads: int | None = None, backend: Backend = "auto"
) -> Tensor:
    """Quantize rows of floats on a grid and pack the codes, in one pass; the formula of `Grid`.

    Args:
        x: float32 input, finite.
        grid: Where to quantize.
        num_threads: Threads of the CPU backend; ``torch.get_num_threads()`` by default.
        backend: ``auto``, or the one to run; ``triton`` uses torch here.

    Shapes:
        x: ``(rows, features)`` -> uint8 ``(rows, row_bytes)``

    Raises:
        ValueError: If an argument breaks these rules.
        BackendUnavailableError: If the backend named cannot run here.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    check_tensor("x", x, torch.float32, 2)
    if x.shape[1] < 1:
        raise ValueError(f"x must have at least 1 feature, got shape {tuple(x.shape)}")
    arguments = (grid.num_bits, grid.scale, grid.zero_point, grid.stride, grid.shift)
    packed: Tensor = ops.quantize_pack(x, *arguments, check_num_threads(num_threads), backend)
    return packed


def unpack(packed: Tensor, num_bits: int, num_features: int) -> Tensor:
    """Return the codes of packed rows; the inverse of `pack`.

    Args:
        packed: uint8 rows.
        num_bits: 2, 4 or 8.
        num_features: Codes per row.

    Shapes:
        packed: ``(rows, row_bytes)`` -> ``(rows, num_features)``

    Raises:
        ValueError: If ``packed`` does not have the layout's bytes per row.
    """
    check_packed("packed", packed, PackedLayout(num_features, num_bits))
    codes: Tensor = ops.unpack(packed, num_bits, num_features)
    return codes


def neighbour_sum(
    packed: Tensor,
    rowptr: Tensor,
    col: Tensor,
    *,
    num_bits: int,
    num_features: int,
    weight: Tensor | None = None,
    num_threads: int | None = None,
    backend: Backend = "auto",
) -> Tensor:
    r"""Sum the codes of the neighbours of every node.

    .. math:: t_i = \sum_j q_j \quad\text{(int32, exact)}, \qquad
              t_i = \sum_j w_{ij} q_j \quad\text{(float32, in the order of the entries)}

    Args:
        packed: Packed codes.
        rowptr: int64, first entry of every row.
        col: int32, node of every entry.
        num_bits: 2, 4 or 8.
        num_features: Codes per row.
        weight: float32 weight of every entry, for graphs that do not factorise.
        num_threads: Threads of the CPU backend; ``torch.get_num_threads()`` by default.
        backend: ``auto``, or the one to run.

    Shapes:
        packed: ``(num_nodes, row_bytes)``; rowptr: ``(num_rows + 1,)``; col, weight:
        ``(num_entries,)`` -> ``(num_rows, num_features)``

    Raises:
        ValueError: If an argument breaks these rules.
        BackendUnavailableError: If the backend named cannot run here.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    check_packed("packed", packed, PackedLayout(num_features, num_bits))
    check_csr(rowptr, col, num_columns=packed.shape[0])
    if weight is not None:
        check_vector("weight", weight, torch.float32, col.numel())
    threads = check_num_threads(num_threads)
    sums: Tensor = ops.neighbour_sum(
        packed, rowptr, col, weight, num_bits, num_features, threads, backend
    )
    return sums


def _check_weights(weight: Tensor, weight_scale: Tensor, bias: Tensor | None) -> None:
    check_tensor("weight", weight, torch.int16, 2)
    out_features, in_features = weight.shape
    if not 1 <= in_features <= MAX_IN_FEATURES:
        raise ValueError(f"weight must have 1..{MAX_IN_FEATURES} inputs, got {in_features}")
    if out_features < 1:
        raise ValueError(f"weight must have at least 1 output, got {out_features}")
    if int(weight.abs().max()) > 255:
        raise ValueError(f"weight must be in -255..255, got {int(weight.abs().max())} in size")
    check_vector("weight_scale", weight_scale, torch.float32, out_features)
    if bias is not None:
        check_vector("bias", bias, torch.float32, out_features)


def _out_arguments(out_grid: Grid | None) -> tuple[int, float, int]:
    if out_grid is None:
        return 0, 1.0, 0
    if out_grid.stride != 1:
        raise ValueError(f"out_grid must have stride 1, got {out_grid.stride}")
    return out_grid.num_bits, out_grid.scale, out_grid.zero_point


def linear(
    packed: Tensor,
    x_grid: Grid,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor | None = None,
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
        weight: int16 centred weight codes, in -255..255.
        weight_scale: float32 scale of every output.
        bias: float32.
        relu: Replace negative results by 0.
        out_grid: Quantize the result on this grid and pack it.
        num_threads: Threads of the CPU backend; ``torch.get_num_threads()`` by default.
        backend: ``auto``, or the one to run; ``triton`` uses torch's matrix product here.

    Shapes:
        packed: ``(rows, row_bytes)``; weight: ``(out, in)``; weight_scale, bias: ``(out,)`` ->
        float32 ``(rows, out)``, or uint8 ``(rows, row_bytes)`` with ``out_grid``

    Raises:
        ValueError: If an argument breaks these rules.
        BackendUnavailableError: If the backend named cannot run here.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    _check_weights(weight, weight_scale, bias)
    check_packed("packed", packed, PackedLayout(weight.shape[1], x_grid.num_bits))
    factor = torch.tensor(x_grid.scale, dtype=torch.float32) * weight_scale
    x_arguments = (x_grid.num_bits, x_grid.scale, x_grid.zero_point, x_grid.stride)
    threads = check_num_threads(num_threads)
    result: Tensor = ops.linear(
        packed,
        *x_arguments,
        weight,
        factor,
        bias,
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
    x_scale: float,
    weight: Tensor,
    weight_scale: Tensor,
    bias: Tensor | None = None,
    *,
    relu: bool = False,
    out_grid: Grid | None = None,
    num_threads: int | None = None,
    backend: Backend = "auto",
) -> Tensor:
    r"""Linear map of rows given by their non-zero centred codes; the formula of `linear`.

    Args:
        rowptr: int64, first entry of every row.
        col: int32, feature of every entry.
        value: int16 centred code of every entry, in -255..255.
        x_scale: Scale of the input.
        weight: int16 centred weight codes, in -255..255.
        weight_scale: float32 scale of every output.
        bias: float32.
        relu: Replace negative results by 0.
        out_grid: Quantize the result on this grid and pack it.
        num_threads: Threads of the CPU backend; ``torch.get_num_threads()`` by default.
        backend: ``auto``, or the one to run; ``triton`` uses torch's embedding bag here.

    Shapes:
        rowptr: ``(rows + 1,)``; col, value: ``(entries,)``; weight: ``(out, in)``; weight_scale,
        bias: ``(out,)`` -> as `linear`

    Raises:
        ValueError: If an argument breaks these rules.
        BackendUnavailableError: If the backend named cannot run here.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    _check_weights(weight, weight_scale, bias)
    check_csr(rowptr, col, num_columns=weight.shape[1])
    check_vector("value", value, torch.int16, col.numel())
    if value.numel() and int(value.abs().max()) > 255:
        raise ValueError(f"value must be in -255..255, got {int(value.abs().max())} in size")
    factor = torch.tensor(x_scale, dtype=torch.float32) * weight_scale
    threads = check_num_threads(num_threads)
    out = _out_arguments(out_grid)
    result: Tensor = ops.sparse_linear(
        rowptr, col, value, weight, factor, bias, relu, *out, threads, backend
    )
    return result


def propagate(
    x0: Tensor,
    graph: PackedGraph,
    grids: Sequence[Grid],
    coefficients: StepCoefficients,
    *,
    form: Form = "direct",
    residual_bits: int = 8,
    return_codes: bool = False,
    num_threads: int | None = None,
    backend: Backend = "auto",
) -> Propagated:
    r"""Run all steps of a propagation on packed codes, in one call.

    With :math:`z = D^{-1/2} H`, codes :math:`c_k` of step :math:`k` and the exact sums
    :math:`T = \sum_j c_j` over the neighbours, :math:`u_k = b s_k D^{-1} T`:

    .. math::
        \text{direct:}\quad & z_{k+1} = u_k + e z_0 + a z_k \\
        \text{delta-sigma:}\quad & v_{k+1} = (v_k - s_k c_k) + \delta_{k+1}, \quad
        \delta_{k+1} = u_k + a \delta_k, \quad \delta_1 = u_0 + (a + e - 1) z_0

    and :math:`H_K = D^{1/2} z_K`, in the delta-sigma form with
    :math:`z_K = \sum_k s_k c_k + v_K`. There the residual lives between steps as fixed point in
    units of the scale: 16 bits with 10 of fraction, or 8 with 5. Every backend rounds alike.

    Args:
        x0: float32 input, finite.
        graph: Neighbours and degree factors.
        grids: One grid per step; same ``num_bits`` and ``stride``.
        coefficients: Weights :math:`a, b, e`.
        form: ``direct`` or ``delta_sigma``.
        residual_bits: Storage of the delta-sigma residual, 8 or 16.
        return_codes: Also return the packed codes of every step.
        num_threads: Threads of the CPU backend; ``torch.get_num_threads()`` by default.
        backend: ``auto``, or the one to run.

    Shapes:
        x0: ``(num_nodes, num_features)`` -> same

    Raises:
        ValueError: If an argument breaks these rules.
        BackendUnavailableError: If the backend named cannot run here.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    check_choice("form", form, ("direct", "delta_sigma"))
    check_choice("residual_bits", residual_bits, (8, 16))
    check_tensor("x0", x0, torch.float32, 2)
    if x0.shape[0] != graph.num_nodes or x0.shape[1] < 1:
        raise ValueError(
            f"x0 must have {graph.num_nodes} rows and at least 1 feature, got {tuple(x0.shape)}"
        )
    table = GridTable.from_grids(grids)
    steps = (table.scale, table.zero_point, table.shift, table.num_bits, table.truncated)
    weights = (coefficients.own, coefficients.message, coefficients.restart)
    options = (form == "delta_sigma", residual_bits, return_codes, check_num_threads(num_threads))
    features, codes = ops.propagate(x0, *graph.tensors(), *steps, *weights, *options, backend)
    return Propagated(features, codes)
