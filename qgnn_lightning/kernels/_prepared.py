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
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from . import cpu
from ._constants import StepCoefficients
from ._graph import PackedGraph
from ._grid import Grid, GridTable
from ._linear import check_out_grid, check_sparse_rows, linear, sparse_linear
from ._weight import LinearWeight
from .api import Form, check_propagation, count_operations, propagate
from .layout import PackedLayout
from .validation import check_no_gradient, check_num_threads, check_packed


def _run_directly(*tensors: Tensor) -> bool:
    """Whether the compiled kernels can take tensors as they are."""
    return (
        all(type(tensor) is Tensor and tensor.is_cpu for tensor in tensors)
        and cpu.why_unavailable() is None
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not is_in_torch_dispatch_mode()
    )


@dataclass(frozen=True, eq=False)
class PreparedLinear:
    """`linear` and `sparse_linear` without their input.

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
    def _layout(self) -> PackedLayout:
        return PackedLayout(self.weight.in_features, self.x_grid.num_bits)

    def _call(self, codes: Tensor, *, sparse: bool) -> cpu.LinearCall:
        factor = self.weight.factor(self.x_grid.scale)
        return cpu.LinearCall(
            self.x_grid, codes, factor, self.weight.bias, self.relu, self.out_grid, sparse=sparse
        )

    @cached_property
    def _packed_call(self) -> cpu.LinearCall:
        return self._call(self.weight.codes, sparse=False)

    @cached_property
    def _sparse_call(self) -> cpu.LinearCall:
        return self._call(self.weight.by_input, sparse=True)

    def packed(self, packed: Tensor) -> Tensor:
        """As `linear`, which has the shapes and errors."""
        if not _run_directly(packed):
            return linear(
                packed, self.x_grid, self.weight, relu=self.relu, out_grid=self.out_grid
            )
        check_packed("packed", packed, self._layout)
        operations = packed.shape[0] * self.weight.codes.numel()
        return self._packed_call.packed(packed, check_num_threads(None, operations))

    def sparse(self, rowptr: Tensor, col: Tensor, value: Tensor) -> Tensor:
        """As `sparse_linear`, which has the shapes and errors."""
        if not _run_directly(rowptr, col, value):
            return sparse_linear(
                rowptr, col, value, self.x_grid, self.weight, relu=self.relu, out_grid=self.out_grid
            )
        check_sparse_rows(rowptr, col, value)
        threads = check_num_threads(None, col.numel() * self.weight.codes.shape[0])
        return self._sparse_call.sparse(rowptr, col, value, threads)


@dataclass(frozen=True, eq=False)
class PreparedPropagation:
    """`propagate` without its input.

    Args:
        graph: Neighbours and degree factors.
        grids: One grid per step; same ``num_bits`` and ``stride``.
        coefficients: Weights of a step.
        form: ``direct`` or ``delta_sigma``.
        residual_bits: Storage of the delta-sigma residual, 8 or 16.
    """

    graph: PackedGraph
    grids: Sequence[Grid]
    coefficients: StepCoefficients
    form: Form
    residual_bits: int

    @cached_property
    def _call(self) -> cpu.PropagationCall:
        return cpu.PropagationCall(
            self.graph.tensors(),
            GridTable.from_grids(self.grids),
            self.coefficients,
            self.form == "delta_sigma",
            self.residual_bits,
        )

    def __call__(self, x0: Tensor) -> Tensor:
        """The features; as `propagate`, which has the shapes and errors."""
        form, residual_bits = self.form, self.residual_bits
        if not _run_directly(x0):
            arguments = (x0, self.graph, self.grids, self.coefficients)
            return propagate(*arguments, form=form, residual_bits=residual_bits).features
        check_propagation(x0, self.graph, form, residual_bits)
        operations = count_operations(x0, self.graph, len(self.grids))
        return self._call(x0, check_num_threads(None, operations))
