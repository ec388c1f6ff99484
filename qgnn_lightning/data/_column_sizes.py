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
    """

    largest: float
    median: float
    largest_column: int | None = None

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
    if x.layout == torch.sparse_csr:
        size = x.values().new_zeros(x.shape[1])
        size.scatter_reduce_(0, x.col_indices(), x.values().abs(), "amax")
    else:
        size = torch.maximum(x.amax(0), -x.amin(0))
    used = size[size > 0]
    if not len(used):
        return ColumnSizes(0, 0)
    return ColumnSizes(float(size.max()), float(used.median()), int(size.argmax()))
