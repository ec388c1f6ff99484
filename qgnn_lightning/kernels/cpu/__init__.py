"""The C++ backend: packed kernels for CPUs, loaded on first use."""

from __future__ import annotations

from ._calls import (
    DenseRows,
    LinearCall,
    NetworkCall,
    PackedRows,
    PropagationCall,
    Rows,
    SparseRows,
)
from ._graph_order import Graph, reused
from ._loader import (
    available_isas,
    compiled_isas,
    release_workspace,
    selected_isa,
    why_unavailable,
)
from ._operations import neighbour_sum, propagate, quantize_pack

__all__ = [
    "DenseRows",
    "Graph",
    "LinearCall",
    "NetworkCall",
    "PackedRows",
    "PropagationCall",
    "Rows",
    "SparseRows",
    "available_isas",
    "compiled_isas",
    "neighbour_sum",
    "propagate",
    "quantize_pack",
    "release_workspace",
    "reused",
    "selected_isa",
    "why_unavailable",
]
