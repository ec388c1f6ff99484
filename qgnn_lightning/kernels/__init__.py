"""Message passing and linear maps on packed codes of 2, 4 and 8 bits.

`api` holds the operations, `reference` defines them, the other backends run them faster.
Importing this package compiles nothing and loads no library.
"""

from __future__ import annotations

from ._constants import StepCoefficients
from ._graph import PackedGraph
from ._grid import Grid
from ._linear import linear, sparse_linear
from ._mapped import propagate_mapped
from ._prepared import PreparedLinear, PreparedNetwork, PreparedPropagation
from ._weight import LinearWeight
from .api import Propagated, neighbour_sum, pack, propagate, quantize_pack, unpack
from .backends import BackendUnavailableError, available_backends, why_unavailable
from .layout import FORMAT_VERSION, SUPPORTED_BITS, PackedLayout

__all__ = [
    "FORMAT_VERSION",
    "SUPPORTED_BITS",
    "BackendUnavailableError",
    "Grid",
    "LinearWeight",
    "PackedGraph",
    "PackedLayout",
    "PreparedLinear",
    "PreparedNetwork",
    "PreparedPropagation",
    "Propagated",
    "StepCoefficients",
    "available_backends",
    "linear",
    "neighbour_sum",
    "pack",
    "propagate",
    "propagate_mapped",
    "quantize_pack",
    "sparse_linear",
    "unpack",
    "why_unavailable",
]
