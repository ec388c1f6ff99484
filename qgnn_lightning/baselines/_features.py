"""Features as PyG's layers take them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from qgnn_lightning.graph import sparse_csr


def as_dense(x: Tensor) -> Tensor:
    """Features with their zeros.

    Shapes:
        x: ``(num_nodes, num_features)``, dense or torch.sparse CSR -> same, dense.
    """
    return x.to_dense() if x.layout == torch.sparse_csr else x


def drop_features(x: Tensor, probability: float, *, training: bool) -> Tensor:
    """Dropout, which leaves the zeros of a sparse matrix as they are.

    Shapes:
        x: ``(num_nodes, num_features)``, dense or torch.sparse CSR -> same.
    """
    if x.layout != torch.sparse_csr:
        return functional.dropout(x, probability, training)
    kept = functional.dropout(x.values(), probability, training)
    return sparse_csr(x.crow_indices(), x.col_indices(), kept, (x.shape[0], x.shape[1]))
