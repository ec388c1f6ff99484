"""Product of a sparse feature matrix, with trainable values, and a dense one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from qgnn_lightning.graph import sparse_csr


@dataclass(frozen=True, eq=False)
class SparsePattern:
    """Where the entries of a CSR matrix are; its transpose is worked out once.

    Shapes:
        rowptr: ``(num_rows + 1,)``; col: ``(num_entries,)``.
    """

    rowptr: Tensor
    col: Tensor
    size: tuple[int, int]

    @classmethod
    def of(cls, matrix: Tensor) -> SparsePattern:
        """Pattern of a torch.sparse CSR matrix."""
        size = (matrix.shape[0], matrix.shape[1])
        return cls(matrix.crow_indices(), matrix.col_indices(), size)

    def matches(self, matrix: Tensor) -> bool:
        """Whether this is the pattern of that very matrix."""
        return (
            self.rowptr.data_ptr() == matrix.crow_indices().data_ptr()
            and self.col.data_ptr() == matrix.col_indices().data_ptr()
            and self.col.device == matrix.device
            and self.size == tuple(matrix.shape)
        )

    @cached_property
    def max_count(self) -> int:
        """The largest number of entries in a row."""
        count = self.rowptr.diff()
        return int(count.max()) if count.numel() else 0

    @cached_property
    def _transposed_order(self) -> tuple[Tensor, SparsePattern]:
        nodes = torch.arange(self.size[0], device=self.col.device)
        row = nodes.repeat_interleave(self.rowptr.diff())
        order = (self.col * self.size[0] + row).argsort()
        count = torch.bincount(self.col, minlength=self.size[1])
        rowptr = torch.cat([count.new_zeros(1), count.cumsum(0)])
        return order, SparsePattern(rowptr, row[order], (self.size[1], self.size[0]))

    def product(self, values: Tensor, dense: Tensor) -> Tensor:
        """The matrix with these values times a dense one."""
        if dense.device.type == "cpu" and dense.dtype == torch.float32 and values.numel():
            return torch.nn.functional.embedding_bag(
                self.col,
                dense.contiguous(),
                self.rowptr[:-1],
                mode="sum",
                per_sample_weights=values,
            )
        return sparse_csr(self.rowptr, self.col, values, self.size) @ dense

    def transposed_product(self, values: Tensor, dense: Tensor) -> Tensor:
        """The transposed matrix with these values times a dense one."""
        order, pattern = self._transposed_order
        return pattern.product(values[order], dense)

    def sampled_product(self, left: Tensor, right: Tensor) -> Tensor:
        """Entries of ``left @ right.T`` where the pattern has one."""
        matrix = sparse_csr(self.rowptr, self.col, left.new_zeros(self.col.numel()), self.size)
        result: Tensor = torch.sparse.sampled_addmm(matrix, left, right.t(), beta=0.0).values()
        return result


class _SparseProduct(torch.autograd.Function):
    """torch's own backward of either product sorts the entries anew, every time."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, dense: Tensor, pattern: SparsePattern) -> Tensor:
        ctx.pattern = pattern
        ctx.save_for_backward(values, dense)
        return pattern.product(values, dense)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        values, dense = ctx.saved_tensors
        grad = grad_outputs[0].contiguous()
        pattern: SparsePattern = ctx.pattern
        needs_values, needs_dense = ctx.needs_input_grad[:2]
        return (
            pattern.sampled_product(grad, dense) if needs_values else None,
            pattern.transposed_product(values, grad) if needs_dense else None,
            None,
        )


def sparse_product(values: Tensor, pattern: SparsePattern, dense: Tensor) -> Tensor:
    """Sparse times dense, differentiable in the values and in the dense matrix.

    Shapes:
        values: ``(num_entries,)``; dense: ``(num_columns, size)`` -> ``(num_rows, size)``.
    """
    result: Tensor = _SparseProduct.apply(values, dense, pattern)  # type: ignore[no-untyped-call]
    return result
