"""The Triton backend: packed kernels for CUDA devices."""

from __future__ import annotations

from ._operations import neighbour_sum, propagate

__all__ = ["neighbour_sum", "propagate"]
