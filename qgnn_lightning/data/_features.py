"""Features as they enter the network: normalised rows, sparse where that saves work."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from qgnn_lightning.graph import entries_of_rows

_MAX_SPARSE_DENSITY = 0.05


def sparsify(x: Tensor) -> Tensor:
    """Convert dense features to torch.sparse CSR where fewer than 5 % of them are non-zero.

    Shapes:
        x: ``(num_nodes, num_features)`` -> same.
    """
    if x.layout != torch.strided or x.count_nonzero() >= _MAX_SPARSE_DENSITY * x.numel():
        return x
    row, col = x.nonzero(as_tuple=True)
    crow = torch.bincount(row, minlength=x.shape[0]).cumsum(0)
    return csr(torch.cat([crow.new_zeros(1), crow]), col, x[row, col], x.shape[1])


def normalize_rows(x: Tensor) -> Tensor:
    r"""Divide each row by its sum, :math:`x_i / \sum_f x_{if}`; rows that sum to 0 stay.

    Shapes:
        x: ``(num_nodes, num_features)``, dense or CSR, non-negative -> same.
    """
    if x.layout == torch.strided:
        return x * _reciprocal(x.sum(1, keepdim=True))
    crow, value = x.crow_indices(), x.values()
    row = torch.arange(x.shape[0]).repeat_interleave(crow.diff())
    total = value.new_zeros(x.shape[0]).index_add_(0, row, value)
    return csr(crow, x.col_indices(), value * _reciprocal(total)[row], x.shape[1])


def select_rows(x: Tensor, rows: Tensor) -> Tensor:
    """Some rows of a matrix.

    Shapes:
        x: ``(num_nodes, num_features)``, dense or CSR; rows: ``(num_kept,)`` ->
        ``(num_kept, num_features)``.
    """
    if x.layout == torch.strided:
        return x[rows]
    entry, count = entries_of_rows(x.crow_indices(), rows)
    crow = torch.cat([count.new_zeros(1), count.cumsum(0)])
    return csr(crow, x.col_indices()[entry], x.values()[entry], x.shape[1])


def select_columns(x: Tensor, columns: Tensor) -> Tensor:
    """The columns of a matrix in another order.

    Shapes:
        x: ``(num_nodes, num_features)``, dense or CSR; columns: ``(num_features,)``, each
        number once -> ``(num_nodes, num_features)``.
    """
    if x.layout == torch.strided:
        return x[:, columns]
    row = torch.arange(x.shape[0]).repeat_interleave(x.crow_indices().diff())
    col = columns.argsort()[x.col_indices()]
    entry = (row * x.shape[1] + col).argsort()
    return csr(x.crow_indices(), col[entry], x.values()[entry], x.shape[1])


def csr(crow: Tensor, col: Tensor, value: Tensor, num_columns: int) -> Tensor:
    """Create a checked CSR matrix without torch's note that their support is in beta."""
    size = (crow.numel() - 1, num_columns)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(crow, col, value, size, check_invariants=True)


def _reciprocal(total: Tensor) -> Tensor:
    return torch.where(total == 0, 1.0, 1 / total)
