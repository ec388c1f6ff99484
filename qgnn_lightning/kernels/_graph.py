"""The graph as the kernels read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .validation import check_csr, check_is_tensor, check_vector, to_int32


class GraphTensors(NamedTuple):
    """The tensors of a `PackedGraph`, unchecked, as operators pass them on."""

    rowptr: Tensor
    col: Tensor
    inv_degree: Tensor
    inv_sqrt_degree: Tensor
    sqrt_degree: Tensor


@dataclass(frozen=True, eq=False)
class PackedGraph:
    """Rows of neighbours with the degree factors of the symmetric normalization.

    Checked when made, so that no later call has to look at the entries again.

    Args:
        rowptr: int64, first entry of every row.
        col: int32, source node of every entry.
        inv_degree: float32, ``1 / degree``.
        inv_sqrt_degree: float32, ``degree ** -0.5``.
        sqrt_degree: float32, ``degree ** 0.5``.

    Shapes:
        rowptr: ``(num_nodes + 1,)``
        col: ``(num_entries,)``
        inv_degree, inv_sqrt_degree, sqrt_degree: ``(num_nodes,)``

    Raises:
        TypeError: If what should be a tensor is none.
        ValueError: If a tensor has the wrong type or shape, or an index is out of range.
    """

    rowptr: Tensor
    col: Tensor
    inv_degree: Tensor
    inv_sqrt_degree: Tensor
    sqrt_degree: Tensor

    def __post_init__(self) -> None:
        num_nodes = self.rowptr.numel() - 1
        check_csr(self.rowptr, self.col, num_columns=num_nodes)
        for name in ("inv_degree", "inv_sqrt_degree", "sqrt_degree"):
            check_vector(name, getattr(self, name), torch.float32, num_nodes)

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.rowptr.numel() - 1

    def tensors(self) -> GraphTensors:
        """Return the tensors."""
        return GraphTensors(
            self.rowptr, self.col, self.inv_degree, self.inv_sqrt_degree, self.sqrt_degree
        )

    @classmethod
    def from_csr(cls, rowptr: Tensor, col: Tensor, degree: Tensor | None = None) -> PackedGraph:
        """Build from rows; ``degree`` defaults to the number of entries of a row.

        A node without entries gets the factors of degree 1.
        """
        check_is_tensor("rowptr", rowptr)
        check_is_tensor("col", col)
        if degree is None:
            degree = (rowptr[1:] - rowptr[:-1]).clamp(min=1)
        degree = degree.to(torch.float32)
        return cls(
            rowptr=rowptr.to(torch.int64).contiguous(),
            col=to_int32("col", col).contiguous(),
            inv_degree=1.0 / degree,
            inv_sqrt_degree=degree.rsqrt(),
            sqrt_degree=degree.sqrt(),
        )
