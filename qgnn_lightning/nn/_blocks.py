"""Evaluation of large graphs block by block, in memory that does not grow with their width."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

#: Nodes in a block of rows.
ROWS_PER_BLOCK = 1 << 15
#: Elements in a block of columns.
ELEMENTS_PER_BLOCK = 1 << 20


def evaluates(module: nn.Module) -> bool:
    """Whether nothing of a pass is kept: evaluation mode without gradients."""
    return not (module.training or torch.is_grad_enabled())


def in_row_blocks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function that treats every row alone to some rows at a time.

    Shapes:
        x: ``(num_rows, num_columns)``, dense or torch.sparse CSR (which is not cut) ->
        ``(num_rows, size)``.
    """
    if x.layout != torch.strided or x.shape[0] <= ROWS_PER_BLOCK:
        return function(x)
    starts = range(0, x.shape[0], ROWS_PER_BLOCK)
    return torch.cat([function(x[start : start + ROWS_PER_BLOCK]) for start in starts])


def in_column_blocks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function that treats every column alone to some columns at a time.

    Shapes:
        x: ``(num_rows, num_columns)`` -> same.
    """
    columns = max(ELEMENTS_PER_BLOCK // max(x.shape[0], 1), 8)
    if x.shape[1] <= columns:
        return function(x)
    result = torch.empty_like(x)
    for start in range(0, x.shape[1], columns):
        block = slice(start, start + columns)
        result[:, block] = function(x[:, block].contiguous())
    return result
