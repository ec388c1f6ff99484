"""The one record of a graph that every layer works on, and the product with it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from qgnn_lightning.graph._tensor import check_tensor


@dataclass(frozen=True, eq=False)
class Adjacency:
    r"""Adjacency with self-loops, :math:`A' = A + I`, in compressed sparse rows.

    Row :math:`i` lists the nodes that node :math:`i` receives from. Build it with
    :meth:`from_edge_index`, once per graph: everything derived from it is computed once.

    Args:
        rowptr: Start of each row in ``col``, int64.
        col: Neighbours, sorted within each row, int64.
        value: Weights of the entries, or ``None`` where all of them are 1.
        degree: Row sums of :math:`A'`, or of the graph of which this is a part.
        symmetric: Whether :math:`A'` equals its transpose.

    Shapes:
        rowptr: ``(num_nodes + 1,)``; col, value: ``(num_edges,)``; degree: ``(num_nodes,)``.
    """

    rowptr: Tensor
    col: Tensor
    value: Tensor | None
    degree: Tensor
    symmetric: bool

    @classmethod
    def from_edge_index(
        cls,
        edge_index: Tensor,
        num_nodes: int,
        edge_weight: Tensor | None = None,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> Adjacency:
        """Build from PyG's edge list: sources in row 0, targets in row 1.

        Duplicate edges count once (weights of duplicates are added), self-loops are replaced
        by exactly one of weight 1 per node.

        Args:
            edge_index: Edges, integer, each entry in ``[0, num_nodes)``.
            num_nodes: Number of nodes.
            edge_weight: Positive weights, or ``None`` for an unweighted graph.
            dtype: Floating-point type of the degrees and weights.

        Shapes:
            edge_index: ``(2, num_edges)``; edge_weight: ``(num_edges,)``.

        Raises:
            TypeError: If edges or weights are no tensor.
            ValueError: If the shapes, types, indices or weights are not as described.
        """
        _check_edges(edge_index, num_nodes, edge_weight)
        edge_index = edge_index.long()
        keep = edge_index[0] != edge_index[1]
        source, target = edge_index[:, keep]
        loops = torch.arange(num_nodes, device=edge_index.device)
        key = torch.cat([target * num_nodes + source, loops * (num_nodes + 1)])
        if edge_weight is None:
            key, value = torch.unique(key), None
        else:
            weight = torch.cat(
                [edge_weight[keep].to(dtype), loops.new_ones(num_nodes, dtype=dtype)]
            )
            key, position = torch.unique(key, return_inverse=True)
            value = weight.new_zeros(key.numel()).index_add_(0, position, weight)
        return cls._from_sorted_keys(key, num_nodes, value, dtype)

    @classmethod
    def _from_sorted_keys(
        cls, key: Tensor, num_nodes: int, value: Tensor | None, dtype: torch.dtype
    ) -> Adjacency:
        row, col = key // max(num_nodes, 1), key % max(num_nodes, 1)
        count = torch.bincount(row, minlength=num_nodes)
        rowptr = torch.cat([count.new_zeros(1), count.cumsum(0)])
        mirrored, order = (col * num_nodes + row).sort()
        symmetric = torch.equal(mirrored, key)
        degree = count.to(dtype)
        if value is not None:
            symmetric = symmetric and torch.equal(value[order], value)
            degree = value.new_zeros(num_nodes).index_add_(0, row, value)
            if not bool(degree.isfinite().all()):
                raise ValueError(
                    f"edge_weight must have finite sums at every node in {value.dtype}, "
                    f"got weights of up to {float(value.max()):.3g}"
                )
        return cls(rowptr, col, value, degree, symmetric)

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.rowptr.numel() - 1

    @property
    def num_edges(self) -> int:
        """Number of entries of :math:`A'`: each direction and each self-loop counts."""
        return self.col.numel()

    @cached_property
    def inv_degree(self) -> Tensor:
        """Reciprocal degrees, a column: ``(num_nodes, 1)``."""
        return self.degree.reciprocal()[:, None]

    @cached_property
    def inv_sqrt_degree(self) -> Tensor:
        """Reciprocal square roots of the degrees, a column: ``(num_nodes, 1)``."""
        return self.degree.rsqrt()[:, None]

    @cached_property
    def sqrt_degree(self) -> Tensor:
        """Square roots of the degrees, a column: ``(num_nodes, 1)``."""
        return self.degree.sqrt()[:, None]

    @cached_property
    def max_count(self) -> int:
        """The largest number of entries in a row (0 for the empty graph)."""
        count = self.rowptr.diff()
        return int(count.max()) if count.numel() else 0

    @cached_property
    def row(self) -> Tensor:
        """Row of each entry, the partner of ``col``: ``(num_edges,)``."""
        nodes = torch.arange(self.num_nodes, device=self.col.device)
        return nodes.repeat_interleave(self.rowptr.diff())

    @cached_property
    def transposed(self) -> Adjacency:
        """The transpose; the same object where the graph is symmetric."""
        if self.symmetric:
            return self
        key, order = (self.col * self.num_nodes + self.row).sort()
        value = None if self.value is None else self.value[order]
        return Adjacency._from_sorted_keys(key, self.num_nodes, value, self.degree.dtype)

    def matrix(self, dtype: torch.dtype) -> Tensor:
        """A' as a torch.sparse CSR matrix of the given type."""
        value = self.degree.new_ones(self.num_edges) if self.value is None else self.value
        return sparse_csr(self.rowptr, self.col, value.to(dtype), (self.num_nodes, self.num_nodes))

    @cached_property
    def _matrix(self) -> Tensor:
        return self.matrix(self.degree.dtype)

    def to(self, target: Any, **kwargs: Any) -> Adjacency:
        """Copy to a device or floating-point type, as :meth:`torch.Tensor.to` does."""
        degree = self.degree.to(target, **kwargs)
        if degree is self.degree:
            return self
        value = None if self.value is None else self.value.to(target, **kwargs)
        device = degree.device
        return replace(
            self, rowptr=self.rowptr.to(device), col=self.col.to(device), value=value, degree=degree
        )

    def double(self) -> Adjacency:
        """Copy with degrees and weights in float64."""
        return self.to(torch.float64)


def sparse_csr(rowptr: Tensor, col: Tensor, value: Tensor, size: tuple[int, int]) -> Tensor:
    """Create a CSR tensor without torch's note that their support is in beta."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(rowptr, col, value, size, check_invariants=False)


class _Aggregate(torch.autograd.Function):
    """A' x; its gradient needs the transpose, which a symmetric graph has for free."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.adjacency = adjacency
        return _product(adjacency, x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        return aggregate(ctx.adjacency.transposed, grad_outputs[0]), None


def aggregate(adjacency: Adjacency, x: Tensor) -> Tensor:
    r"""Sum over the neighbours and the node itself, :math:`A' x`, differentiable in ``x``.

    Shapes:
        x: ``(num_nodes, num_features)`` -> same.
    """
    result: Tensor = _Aggregate.apply(x, adjacency)  # type: ignore[no-untyped-call]
    return result


def _product(adjacency: Adjacency, x: Tensor) -> Tensor:
    if x.device.type == "cpu" and x.dtype == torch.float32 and x.numel():
        # The fastest FP32 path of torch on a CPU: about twice the CSR product.
        return torch.nn.functional.embedding_bag(
            adjacency.col,
            x.contiguous(),
            adjacency.rowptr[:-1],
            mode="sum",
            per_sample_weights=adjacency.value,
        )
    same = x.dtype == adjacency.degree.dtype
    matrix = adjacency._matrix if same else adjacency.matrix(x.dtype)
    with torch.autocast(x.device.type, enabled=False):  # sums of codes are exact
        return matrix @ x


def _check_edges(edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None) -> None:
    check_tensor("edge_index", edge_index)
    if edge_weight is not None:
        check_tensor("edge_weight", edge_weight)
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(
            f"edge_index must have shape (2, num_edges), got {tuple(edge_index.shape)}"
        )
    if edge_index.is_floating_point() or edge_index.dtype == torch.bool:
        raise ValueError(f"edge_index must hold integers, got {edge_index.dtype}")
    edge_index = edge_index.long()  # small types cannot be compared with any number of nodes
    outside = ((edge_index < 0) | (edge_index >= num_nodes)).any(0).nonzero()
    if outside.numel():
        position = int(outside[0])
        raise ValueError(
            f"edge_index must lie in [0, {num_nodes}), got {edge_index[:, position].tolist()} "
            f"at position {position}"
        )
    if edge_weight is None:
        return
    if edge_weight.shape != edge_index.shape[1:]:
        raise ValueError(
            f"edge_weight must have one value per edge ({edge_index.shape[1]}), "
            f"got shape {tuple(edge_weight.shape)}"
        )
    if not bool(((edge_weight > 0) & edge_weight.isfinite()).all()):
        raise ValueError("edge_weight must be positive and finite")
