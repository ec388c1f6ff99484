"""How large the columns of the features are: one grid of few levels serves them all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Four bits have 15 steps: what is below a 30th of the range is nearest to 0.
_MOST_UNEVEN = 30.0
#: Sums of squares of such numbers near the end of float32, where a training fails.
_HUGE = 1e9


@dataclass(frozen=True)
class ColumnSizes:
    """Largest magnitudes of the columns that are not 0 throughout.

    Args:
        largest: That of the largest column; 0 where all features are 0.
        median: Half of the columns are no larger.
        largest_column: Number of the largest column; ``None`` where all features are 0.
        constant: Whether all nodes have the same features.
    """

    largest: float
    median: float
    largest_column: int | None = None
    constant: bool = False

    @property
    def uneven(self) -> bool:
        """Whether half of the columns would be 0 in four bits, if the range held the largest."""
        return self.largest > _MOST_UNEVEN * self.median

    @property
    def huge(self) -> bool:
        """Whether features are so large that a training is likely to fail."""
        return self.largest > _HUGE


def column_sizes(x: Tensor) -> ColumnSizes:
    """Measure the columns of the features.

    Args:
        x: Features, dense or torch.sparse CSR.

    Shapes:
        x: ``(num_nodes, num_features)``.
    """
    low, high = _sparse_range(x) if x.layout == torch.sparse_csr else (x.amin(0), x.amax(0))
    size = torch.maximum(high, -low)
    constant = torch.equal(low, high)
    used = size[size > 0]
    if not len(used):
        return ColumnSizes(0, 0, constant=constant)
    return ColumnSizes(float(size.max()), float(used.median()), int(size.argmax()), constant)


def _sparse_range(x: Tensor) -> tuple[Tensor, Tensor]:
    """Least and largest number of each column; what is not stored is 0."""
    column, value = x.col_indices(), x.values()
    full = torch.bincount(column, minlength=x.shape[1]) == x.shape[0]
    start = value.new_zeros(x.shape[1])
    low = start.scatter_reduce(0, column, value, "amin", include_self=False)
    high = start.scatter_reduce(0, column, value, "amax", include_self=False)
    return low.where(full, low.clamp(max=0)), high.where(full, high.clamp(min=0))
