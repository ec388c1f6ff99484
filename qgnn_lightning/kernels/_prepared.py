"""Operations of which everything but the input is known beforehand.

What does not change is checked, and handed to the compiled kernels, once: on a small graph that
takes longer than to compute. Where these do not run, or torch traces, the operators run instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from . import backends, cpu
from ._constants import StepCoefficients
from ._graph import PackedGraph
from ._grid import Grid, GridTable
from ._linear import (
    check_dense_rows,
    check_out_grid,
    check_sparse_rows,
    linear,
    sparse_linear,
)
from ._tracing import is_traced
from ._weight import LinearWeight
from .api import Form, check_form, check_input, count_operations, propagate, quantize_pack
from .by_fields import CopiedByFields
from .layout import PackedLayout
from .validation import check_num_threads, check_packed, worthwhile_threads


def _run_directly(*tensors: Tensor) -> bool:
    """Whether the compiled kernels can take tensors as they are."""
    if is_traced():
        return False
    for tensor in tensors:
        if type(tensor) is not Tensor or not tensor.is_cpu:
            return False
        if tensor.is_neg() or tensor._is_zerotensor():  # whose memory does not hold their values
            return False
    return backends.why_unavailable("cpu") is None


@dataclass(frozen=True, eq=False)
class PreparedLinear(CopiedByFields):
    """`linear` and `sparse_linear` without their input.

    The first call copies the weights: changes to them after it are not seen.

    Args:
        x_grid: Grid of the input.
        weight: The weights.
        relu: Replace negative results by 0.
        out_grid: Quantize the result on this grid and pack it.

    Raises:
        ValueError: If ``out_grid`` has another stride than 1.
    """

    x_grid: Grid
    weight: LinearWeight
    relu: bool = False
    out_grid: Grid | None = None

    def __post_init__(self) -> None:
        check_out_grid(self.out_grid)

    @cached_property
    def layout(self) -> PackedLayout:
        """Layout of packed input."""
        return PackedLayout(self.weight.in_features, self.x_grid.num_bits)

    @cached_property
    def of_packed(self) -> cpu.LinearCall:
        """The call for rows that are packed, or floats."""
        return self._call(self.weight.codes, sparse=False)

    @cached_property
    def of_sparse(self) -> cpu.LinearCall:
        """The call for sparse rows."""
        return self._call(self.weight.by_input.clone(), sparse=True)

    def _call(self, codes: Tensor, *, sparse: bool) -> cpu.LinearCall:
        factor, bias = self.weight.factor(self.x_grid.scale), self.weight.bias
        options = (self.relu, self.out_grid)
        return cpu.LinearCall(self.x_grid, codes, factor, bias, *options, sparse=sparse)

    def packed(self, packed: Tensor) -> Tensor:
        """As `linear`, which has the shapes and errors."""
        if not _run_directly(packed):
            return linear(packed, self.x_grid, self.weight, relu=self.relu, out_grid=self.out_grid)
        check_packed("packed", packed, self.layout)
        threads = check_num_threads(None, self.weight.count_operations(rows=packed.shape[0]))
        return self.of_packed(cpu.PackedRows(packed), threads)

    def dense(self, x: Tensor) -> Tensor:
        """As `linear` of what `quantize_pack` returns, which have the shapes and errors."""
        check_dense_rows(x, self.weight.in_features)
        if not _run_directly(x):
            return self.packed(quantize_pack(x, self.x_grid))
        threads = check_num_threads(None, self.weight.count_operations(rows=x.shape[0]))
        return self.of_packed(cpu.DenseRows(x), threads)

    def sparse(self, rowptr: Tensor, col: Tensor, value: Tensor) -> Tensor:
        """As `sparse_linear`, which has the shapes and errors."""
        if not _run_directly(rowptr, col, value):
            return sparse_linear(
                rowptr, col, value, self.x_grid, self.weight, relu=self.relu, out_grid=self.out_grid
            )
        check_sparse_rows(rowptr, col, value)
        threads = check_num_threads(None, self.weight.count_operations(entries=col.numel()))
        return self.of_sparse(cpu.SparseRows(rowptr, col, value), threads)


@dataclass(frozen=True, eq=False)
class PreparedPropagation(CopiedByFields):
    """`propagate` without its input.

    The first call copies the graph in the order in which it is fastest, once for all propagations
    on it: changes to the graph after it are not seen.

    Args:
        graph: Neighbours and degree factors.
        grids: One grid per step; same ``num_bits`` and ``stride``.
        coefficients: Weights of a step.
        form: ``direct`` or ``delta_sigma``.
        residual_bits: Storage of the delta-sigma residual, 8 or 16.

    Raises:
        ValueError: If an argument breaks these rules.
    """

    graph: PackedGraph
    grids: Sequence[Grid]
    coefficients: StepCoefficients
    form: Form
    residual_bits: int

    def __post_init__(self) -> None:
        check_form(self.form, self.residual_bits)
        GridTable.from_grids(self.grids)

    @cached_property
    def call(self) -> cpu.PropagationCall:
        """The call."""
        return cpu.PropagationCall(
            cpu.reused(self.graph),
            GridTable.from_grids(self.grids),
            self.coefficients,
            self.form == "delta_sigma",
            self.residual_bits,
        )

    def count_operations(self, num_features: int) -> int:
        """Codes added up; making those of a row counts as eight neighbours."""
        return count_operations(self.graph, num_features, len(self.grids))

    def __call__(self, x0: Tensor) -> Tensor:
        """The features; as `propagate`, which has the shapes and errors."""
        form, residual_bits = self.form, self.residual_bits
        if not _run_directly(x0):
            arguments = (x0, self.graph, self.grids, self.coefficients)
            return propagate(*arguments, form=form, residual_bits=residual_bits).features
        check_input(x0, self.graph)
        return self.call(x0, check_num_threads(None, self.count_operations(x0.shape[1])))


@dataclass(frozen=True, eq=False)
class PreparedNetwork(CopiedByFields):
    """Two linear maps and the propagation of what they return, in one call.

    The first call also copies the graph in the order in which it is fastest: changes to the graph
    after it are not seen.

    Args:
        encoder: The first map, to packed rows.
        classifier: The second map, of what the first one returns, to floats.
        propagation: The propagation of what the second one returns.

    Raises:
        ValueError: If one does not take what the one before returns.
    """

    encoder: PreparedLinear
    classifier: PreparedLinear
    propagation: PreparedPropagation

    def __post_init__(self) -> None:
        between, grid = self.encoder.out_grid, self.classifier.x_grid
        if between != grid:
            raise ValueError(f"encoder must pack on the classifier's grid, {grid}, got {between}")
        hidden = self.encoder.weight.codes.shape[0]
        if hidden != self.classifier.weight.in_features:
            raise ValueError(
                f"classifier must take the {hidden} outputs of the encoder, "
                f"got {self.classifier.weight.in_features}"
            )
        if self.classifier.out_grid is not None:
            raise ValueError(f"classifier must return floats, got {self.classifier.out_grid}")

    @cached_property
    def _of_packed(self) -> cpu.NetworkCall:
        return self._call(self.encoder.of_packed)

    @cached_property
    def _of_sparse(self) -> cpu.NetworkCall:
        return self._call(self.encoder.of_sparse)

    def _call(self, encoder: cpu.LinearCall) -> cpu.NetworkCall:
        return cpu.NetworkCall(encoder, self.classifier.of_packed, self.propagation.call)

    @cached_property
    def _num_nodes(self) -> int:
        return self.propagation.graph.num_nodes

    @cached_property
    def _later_threads(self) -> tuple[int, int]:
        """As many as are worth it in the second map and the propagation."""
        weight = self.classifier.weight
        second = weight.count_operations(rows=self._num_nodes)
        steps = self.propagation.count_operations(weight.codes.shape[0])
        return worthwhile_threads(second), worthwhile_threads(steps)

    def _threads(self, operations: int) -> list[int]:
        most = torch.get_num_threads()
        return [min(most, n) for n in (worthwhile_threads(operations), *self._later_threads)]

    def packed(self, packed: Tensor) -> Tensor:
        """Class scores of packed rows, one for every node.

        Shapes:
            packed: ``(num_nodes, row_bytes)`` -> ``(num_nodes, num_classes)``
        """
        if not _run_directly(packed):
            return self.propagation(self.classifier.packed(self.encoder.packed(packed)))
        check_packed("packed", packed, self.encoder.layout)
        self._check_rows(packed.shape[0])
        threads = self._threads(self.encoder.weight.count_operations(rows=packed.shape[0]))
        return self._of_packed(cpu.PackedRows(packed), threads)

    def dense(self, x: Tensor) -> Tensor:
        """Class scores of rows of floats, one for every node; see `quantize_pack`.

        Shapes:
            x: ``(num_nodes, num_features)`` -> ``(num_nodes, num_classes)``
        """
        check_dense_rows(x, self.encoder.weight.in_features)
        self._check_rows(x.shape[0])
        if not _run_directly(x):
            return self.packed(quantize_pack(x, self.encoder.x_grid))
        threads = self._threads(self.encoder.weight.count_operations(rows=x.shape[0]))
        return self._of_packed(cpu.DenseRows(x), threads)

    def sparse(self, rowptr: Tensor, col: Tensor, value: Tensor) -> Tensor:
        """Class scores of sparse rows, one for every node; see `sparse_linear`.

        Shapes:
            rowptr: ``(num_nodes + 1,)``; col, value: ``(entries,)`` -> ``(num_nodes, num_classes)``
        """
        if not _run_directly(rowptr, col, value):
            hidden = self.encoder.sparse(rowptr, col, value)
            return self.propagation(self.classifier.packed(hidden))
        check_sparse_rows(rowptr, col, value)
        self._check_rows(rowptr.numel() - 1)
        threads = self._threads(self.encoder.weight.count_operations(entries=col.numel()))
        return self._of_sparse(cpu.SparseRows(rowptr, col, value), threads)

    def _check_rows(self, num_rows: int) -> None:
        if num_rows != self._num_nodes:
            raise ValueError(
                f"x must have a row for each of the {self._num_nodes} nodes, got {num_rows}"
            )
