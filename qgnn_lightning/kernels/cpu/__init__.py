"""The C++ backend: packed kernels for CPUs, loaded on first use."""

from __future__ import annotations

from ._calls import LinearCall, NetworkCall, PackedRows, PropagationCall, Rows, SparseRows
from ._loader import (
    available_isas,
    compiled_isas,
    release_workspace,
    selected_isa,
    why_unavailable,
)
from ._operations import linear, neighbour_sum, propagate, quantize_pack, sparse_linear

__all__ = [
    "LinearCall",
    "NetworkCall",
    "PackedRows",
    "PropagationCall",
    "Rows",
    "SparseRows",
    "available_isas",
    "compiled_isas",
    "linear",
    "neighbour_sum",
    "propagate",
    "quantize_pack",
    "release_workspace",
    "selected_isa",
    "sparse_linear",
    "why_unavailable",
]
