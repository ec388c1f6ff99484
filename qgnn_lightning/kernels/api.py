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
from .backends import BACKENDS, Backend
from .layout import PackedLayout
from .validation import (
    check_choice,
    check_codes,
    check_csr,
    check_no_gradient,
    check_num_threads,
    check_packed,
    check_tensor,
    check_vector,
)

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
        TypeError: If what should be a tensor is none.
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
        num_threads: Threads of the CPU backend; by default ``torch.get_num_threads()``, fewer for
            little work.
        backend: ``auto``, or the one to run; ``triton`` uses torch here.

    Shapes:
        x: ``(rows, features)`` -> uint8 ``(rows, row_bytes)``

    Raises:
        TypeError: If what should be a tensor is none.
        ValueError: If an argument breaks these rules, or a float is NaN or infinite.
        BackendUnavailableError: If the backend named cannot run here.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    check_tensor("x", x, torch.float32, 2)
    check_no_gradient("x", x)
    if x.shape[1] < 1:
        raise ValueError(f"x must have at least 1 feature, got shape {tuple(x.shape)}")
    arguments = (grid.num_bits, grid.scale, grid.zero_point, grid.stride, grid.shift)
    threads = check_num_threads(num_threads, x.numel())
    packed: Tensor = ops.quantize_pack(x, *arguments, threads, backend)
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
        TypeError: If what should be a tensor is none.
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
        num_threads: Threads of the CPU backend; by default ``torch.get_num_threads()``, fewer for
            little work.
        backend: ``auto``, or the one to run.

    Shapes:
        packed: ``(num_nodes, row_bytes)``; rowptr: ``(num_rows + 1,)``; col, weight:
        ``(num_entries,)`` -> ``(num_rows, num_features)``

    Raises:
        TypeError: If what should be a tensor is none.
        ValueError: If an argument breaks these rules.
        BackendUnavailableError: If the backend named cannot run here.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    check_packed("packed", packed, PackedLayout(num_features, num_bits))
    check_csr(rowptr, col, num_columns=packed.shape[0])
    if weight is not None:
        check_vector("weight", weight, torch.float32, col.numel())
        check_no_gradient("weight", weight)
    threads = check_num_threads(num_threads, num_features * (packed.shape[0] + col.numel()))
    sums: Tensor = ops.neighbour_sum(
        packed, rowptr, col, weight, num_bits, num_features, threads, backend
    )
    return sums


def check_form(form: str, residual_bits: int) -> None:
    """Raise ``ValueError`` unless there is such a propagation; see `propagate`."""
    check_choice("form", form, ("direct", "delta_sigma"))
    check_choice("residual_bits", residual_bits, (8, 16))


def check_input(x0: Tensor, graph: PackedGraph) -> None:
    """Raise an error unless a propagation can start so; see `propagate`."""
    check_tensor("x0", x0, torch.float32, 2)
    check_no_gradient("x0", x0)
    if x0.shape[0] != graph.num_nodes or x0.shape[1] < 1:
        raise ValueError(
            f"x0 must have {graph.num_nodes} rows and at least 1 feature, got {tuple(x0.shape)}"
        )


def count_operations(graph: PackedGraph, num_features: int, num_steps: int) -> int:
    """Codes added up; making those of a row counts as eight neighbours."""
    return num_steps * num_features * (8 * graph.num_nodes + graph.col.numel())


def propagate(
    x0: Tensor,
    graph: PackedGraph,
    grids: Sequence[Grid],
    coefficients: StepCoefficients,
    *,
    form: Form = "direct",
    residual_bits: int = 16,
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
    :math:`z_K = \sum_k s_k c_k + v_K`. With :math:`a = 0` what is quantized is added up in 16-bit
    fixed point, in units of the next scale; see :mod:`fixed_point`. Every backend rounds alike.
    What is called again on the same graph is faster as a `PreparedPropagation`.

    Args:
        x0: float32 input; finite, which is not checked.
        graph: Neighbours and degree factors.
        grids: One grid per step; same ``num_bits`` and ``stride``.
        coefficients: Weights :math:`a, b, e`.
        form: ``direct`` or ``delta_sigma``.
        residual_bits: Storage of the delta-sigma residual, 8 or 16.
        return_codes: Also return the packed codes of every step.
        num_threads: Threads of the CPU backend; by default ``torch.get_num_threads()``, fewer for
            little work.
        backend: ``auto``, or the one to run.

    Shapes:
        x0: ``(num_nodes, num_features)`` -> same

    Raises:
        TypeError: If what should be a tensor is none.
        ValueError: If an argument breaks these rules.
        BackendUnavailableError: If the backend named cannot run here.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    check_form(form, residual_bits)
    check_input(x0, graph)
    table = GridTable.from_grids(grids)
    steps = (table.scale, table.zero_point, table.shift, table.num_bits, table.truncated)
    weights = (coefficients.own, coefficients.message, coefficients.restart)
    threads = check_num_threads(num_threads, count_operations(graph, x0.shape[1], len(grids)))
    options = (form == "delta_sigma", residual_bits, return_codes, threads)
    features, codes = ops.propagate(x0, *graph.tensors(), *steps, *weights, *options, backend)
    return Propagated(features, codes)
